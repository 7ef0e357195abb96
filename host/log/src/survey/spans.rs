//! Whether the payload of every event is one whole line of the file, nobody else's, and JSON: what no single page can see.

use std::fmt;
use std::io::{BufRead, Read};

use serde::Serialize;

use crate::error::Error;
use crate::feed::Feeder;
use crate::payload::PayloadFile;
use crate::{Log, json};

/// Spans between two looks whether the user wants to go on.
const SPANS_A_LOOK: usize = 1 << 12;

/// Longest line whose JSON is looked at: longer than any policy lets a request read.
const LONGEST: u64 = 1 << 30;

/// An event whose payload is not a whole line of the file that is its own, and JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpanViolation {
    /// The event.
    pub event: i64,
    /// Another event whose payload it shares a byte with, where that is the violation.
    pub with: Option<i64>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for SpanViolation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "event {}: {}", self.event, self.what)
    }
}

/// Where an event's payload lies. Ordered as in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    offset: i64,
    len: i64,
    id: i64,
}

/// The first events of a log, in the order of the payload file and at most that many, whose span is not one whole line of
/// it, shares a byte with another one's, or is no JSON.
///
/// Rows are read in short transactions, the file once from front to back; 24 bytes are held for each event, and one
/// line. Events whose cells are no whole numbers are passed over.
pub fn violations(log: &Log, most: usize) -> Result<Vec<SpanViolation>, Error> {
    let mut spans = Vec::new();
    Feeder::open(log)?.each_span(|id, offset, len| spans.push(Span { offset, len, id }))?;
    spans.sort_unstable();
    // After the rows: a line is in the file before its row is in the log.
    misfits(&spans, &PayloadFile::open(&log.payloads)?, most)
}

/// The first spans, in the order of the file, that are not lines of their own.
fn misfits(spans: &[Span], payloads: &PayloadFile, most: usize) -> Result<Vec<SpanViolation>, Error> {
    let (reader, unended) = (payloads.whole(), payloads.unended()?);
    let mut lines = Lines { reader, start: 0, end: 0, unended, line: Vec::new() };
    let (mut found, mut furthest) = (Vec::new(), None);
    for (span, index) in spans.iter().zip(0..) {
        if found.len() >= most {
            break;
        }
        if index % SPANS_A_LOOK == 0 {
            crate::interrupt::check()?;
        }
        let mut violation = |with, what| found.push(SpanViolation { event: span.id, with, what });
        let (offset, len) = (span.offset, span.len);
        let (Ok(start), Ok(bytes)) = (u64::try_from(offset), u64::try_from(len)) else {
            violation(None, format!("its span is negative: offset {offset}, length {len}"));
            continue;
        };
        let end = start.saturating_add(bytes);
        if end > payloads.len() {
            let size = payloads.len();
            violation(
                None,
                format!("its span ends at byte {end}, past the end of the payload file at {size}"),
            );
            continue;
        }
        if bytes == 0 {
            violation(None, format!("its span at byte {start} is empty"));
            continue;
        }
        let shared = furthest.filter(|&(reach, _)| start < reach);
        if furthest.is_none_or(|(reach, _)| end > reach) {
            furthest = Some((end, span.id));
        }
        if let Some((reach, other)) = shared {
            let last = end.min(reach) - 1;
            violation(
                Some(other),
                format!("it shares bytes {start} to {last} of the payload file with event {other}"),
            );
            continue;
        }
        lines.go_to(start, bytes).map_err(|source| Error::io(payloads.path(), source))?;
        if let Some(what) = lines.misfit(start, end) {
            violation(None, format!("its span, bytes {start} to {}, {what}", end - 1));
        } else if let Some(Err(why)) = lines.line.strip_suffix(b"\n").map(json::check) {
            violation(None, why);
        }
    }
    Ok(found)
}

/// The lines of the file, one after another.
struct Lines<R> {
    reader: R,
    /// Where the line begins that was read last, and where it ends.
    start: u64,
    end: u64,
    /// Where a last line ends that has no line break; None where the file ends with one.
    unended: Option<u64>,
    /// The bytes of the line that was read last, as far as they were asked for.
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Reads on to the line that holds this byte; and that line's first `len` bytes, if it begins there.
    fn go_to(&mut self, byte: u64, len: u64) -> std::io::Result<()> {
        while self.end <= byte {
            self.line.clear();
            if self.end == byte && len <= LONGEST {
                self.reader.by_ref().take(len).read_until(b'\n', &mut self.line)?;
            }
            let mut read = self.line.len() as u64;
            if self.line.last() != Some(&b'\n') {
                read += self.reader.skip_until(b'\n')? as u64;
            }
            if read == 0 {
                break;
            }
            (self.start, self.end) = (self.end, self.end + read);
        }
        Ok(())
    }

    /// What is wrong with a span that begins in the line that was read last; None if it is that line.
    fn misfit(&self, start: u64, end: u64) -> Option<&'static str> {
        if start != self.start {
            Some("begins inside a line")
        } else if end < self.end {
            Some("ends inside its line")
        } else if end > self.end {
            Some("reaches beyond its line")
        } else if self.unended == Some(end) {
            Some("does not end with a line break")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;
    use crate::dataset;

    fn seeded(rows: u64) -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        dataset::seed(folder.path(), 1_767_052_800, rows, true, &mut |_| Ok(())).unwrap();
        let writer = Connection::open(folder.path().join("audit.db")).unwrap();
        (folder, writer)
    }

    fn found(folder: &tempfile::TempDir, most: usize) -> Vec<String> {
        let found = violations(&Log::open(folder.path()).unwrap(), most).unwrap();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_log_has_none_and_neither_has_one_with_gaps_and_lines_of_nobody() {
        let (folder, writer) = seeded(6_000);
        assert_eq!(found(&folder, 10), [""; 0]);
        writer.execute("DELETE FROM audit_events WHERE id % 7 = 3", []).unwrap();
        assert_eq!(found(&folder, 10), [""; 0]);
    }

    #[test]
    fn each_kind_of_violation_is_named_with_its_event() {
        let kinds = [
            ("payload_offset = payload_offset + 1, payload_len = payload_len - 1", "begins inside a line"),
            ("payload_len = payload_len - 1", "ends inside its line"),
            ("payload_offset = -1", "negative"),
            ("payload_len = -5", "negative"),
            ("payload_len = 0", "is empty"),
            ("payload_offset = 1 << 50", "past the end of the payload file"),
            ("payload_len = 9223372036854775807", "past the end of the payload file"),
        ];
        for (change, said) in kinds {
            let (folder, writer) = seeded(50);
            writer.execute(&format!("UPDATE audit_events SET {change} WHERE id = 20"), []).unwrap();
            let found = found(&folder, 10);
            assert_eq!(found.len(), 1, "{change}: {found:?}");
            assert!(found[0].starts_with("event 20: ") && found[0].contains(said), "{change}: {found:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_json_is_named_with_what_stands_there() {
        let (folder, writer) = seeded(50);
        let place = "SELECT payload_offset FROM audit_events WHERE id = 20";
        let offset: u32 = writer.query_row(place, [], |row| row.get(0)).unwrap();
        let payloads = folder.path().join("payloads.jsonl");
        let mut bytes = std::fs::read(&payloads).unwrap();
        bytes[offset as usize..][..4].copy_from_slice(b"NaN ");
        std::fs::write(&payloads, bytes).unwrap();
        let found = found(&folder, 10);
        assert!(found.len() == 1 && found[0].starts_with("event 20: NaN at byte 0 is not JSON"), "{found:?}");
    }

    #[test]
    fn two_events_that_share_a_line_are_named_both_however_far_apart_they_are() {
        let (folder, writer) = seeded(6_000);
        let take = "UPDATE audit_events SET (payload_offset, payload_len) =
            (SELECT payload_offset, payload_len FROM audit_events WHERE id = ?2) WHERE id = ?1";
        writer.execute(take, (5_900, 3)).unwrap();
        let found = violations(&Log::open(folder.path()).unwrap(), 10).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].event, found[0].with), (5_900, Some(3)), "{found:?}");
        // One that reaches over several lines shares each of them.
        writer.execute("UPDATE audit_events SET payload_len = payload_len + 500 WHERE id = 100", []).unwrap();
        let found = violations(&Log::open(folder.path()).unwrap(), 4).unwrap();
        assert_eq!(found.len(), 4, "no more than were asked for: {found:?}");
        assert!(
            found.iter().any(|one| one.event == 100 && one.what.contains("beyond its line")),
            "{found:?}"
        );
        assert!(found.iter().any(|one| (one.event, one.with) == (101, Some(100))), "{found:?}");
    }

    #[test]
    fn a_last_line_without_a_line_break_and_cells_of_another_kind_are_told_apart() {
        let (folder, writer) = seeded(20);
        writer
            .execute("UPDATE audit_events SET payload_offset = 'x', payload_len = x'00' WHERE id = 5", [])
            .unwrap();
        assert_eq!(found(&folder, 10), [""; 0], "an odd cell is no span");
        let payloads = folder.path().join("payloads.jsonl");
        let mut bytes = std::fs::read(&payloads).unwrap();
        *bytes.last_mut().unwrap() = b' ';
        std::fs::write(&payloads, bytes).unwrap();
        let found = found(&folder, 10);
        assert!(
            found.len() == 1 && found[0].starts_with("event 20: ") && found[0].contains("line break"),
            "{found:?}"
        );
    }

    proptest! {
        #[test]
        fn a_span_fits_exactly_where_it_is_a_line_of_its_own(
            text in "[1x\n]{0,40}", places in prop::collection::vec((0_i64..42, 0_i64..9), 0..6),
        ) {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &text).unwrap();
            let span = |(id, &(offset, len)): (i64, &(i64, i64))| Span { offset, len, id };
            let mut spans: Vec<Span> = (1..).zip(&places).map(span).collect();
            spans.sort_unstable();
            let bytes = |span: &Span| {
                let (start, end) = (usize::try_from(span.offset).unwrap(), usize::try_from(span.offset + span.len).unwrap());
                (start, text.as_bytes().get(start..end).filter(|bytes| !bytes.is_empty()))
            };
            let is_line = |span: &Span| match bytes(span) {
                (start, Some([rest @ .., b'\n'])) => {
                    let begins = start == 0 || text.as_bytes()[start - 1] == b'\n';
                    begins && !rest.contains(&b'\n') && json::check(rest).is_ok()
                }
                _ => false,
            };
            let shares = |span: &Span| {
                let earlier = |other: &&Span| *other < span && bytes(other).1.is_some();
                spans.iter().filter(earlier).any(|other| span.offset < other.offset + other.len)
            };
            let wrong = spans.iter().filter(|span| !is_line(span) || shares(span));
            let expected: Vec<i64> = wrong.map(|span| span.id).collect();
            let found = misfits(&spans, &PayloadFile::open(file.path()).unwrap(), 100).unwrap();
            prop_assert_eq!(found.iter().map(|one| one.event).collect::<Vec<_>>(), expected, "{:?}", found);
        }
    }
}

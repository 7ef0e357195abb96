//! Whether every event's span is a line of its own: what no single page can show, over a whole log.

use std::fmt;

use crate::Log;
use crate::error::Error;
use crate::feed::Feeder;
use crate::payload::PayloadFile;

/// Bytes of the payload file that are read at once.
const WINDOW: usize = 1 << 20;

/// An event whose span is not a line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanViolation {
    /// The event.
    pub event: i64,
    /// What is wrong with its span.
    pub what: SpanFault,
}

/// What can be wrong with a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanFault {
    /// It begins before the file, or ends beyond it.
    Outside,
    /// It holds no byte.
    Empty,
    /// The byte before it ends no line.
    BeginsInsideALine,
    /// Its last byte ends no line.
    EndsInsideALine,
    /// It has bytes in common with the span of this event.
    SharedWith(i64),
}

impl fmt::Display for SpanViolation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the span of event {} ", self.event)?;
        match self.what {
            SpanFault::Outside => write!(out, "lies outside of the payload file"),
            SpanFault::Empty => write!(out, "is empty"),
            SpanFault::BeginsInsideALine => write!(out, "begins inside a line"),
            SpanFault::EndsInsideALine => write!(out, "does not end with its line"),
            SpanFault::SharedWith(other) => write!(out, "shares bytes with that of event {other}"),
        }
    }
}

/// A span that lies within the file and holds at least one byte.
struct Placed {
    start: u64,
    end: u64,
    event: i64,
}

/// Looks at the spans of all events, each time in ascending order of its places, so that the payload file is read from its
/// begin to its end; the log in short read transactions. The first violations, at most `most`, in ascending order of id.
///
/// Needs 24 bytes of memory an event. An event whose offset or length is no whole number is passed over: its cell is
/// odd, and the pages that hold it say so.
pub fn violations(log: &Log, most: usize) -> Result<Vec<SpanViolation>, Error> {
    let (mut placed, mut spans) = (Vec::new(), Vec::new());
    Feeder::open(log)?.each_span(|event, offset, len| spans.push((event, offset, len)))?;
    // Lines are written before their events are committed: opened only now, the file holds all of them.
    let payloads = PayloadFile::open(&log.payloads)?;
    let (size, mut found) = (payloads.size(), Found { violations: Vec::new(), most });
    for (event, offset, len) in spans {
        let ends = u64::try_from(offset).ok().zip(u64::try_from(len).ok());
        match ends.and_then(|(start, len)| Some((start, start.checked_add(len)?))) {
            Some((start, end)) if end <= size && start < end => placed.push(Placed { start, end, event }),
            Some((_, end)) if end <= size => found.add(event, SpanFault::Empty),
            _ => found.add(event, SpanFault::Outside),
        }
    }
    let mut window = Window { payloads: &payloads, start: 0, bytes: Vec::new() };
    placed.sort_unstable_by_key(|span| (span.end, span.event));
    for span in &placed {
        if window.byte(span.end - 1)? != Some(b'\n') {
            found.add(span.event, SpanFault::EndsInsideALine);
        }
    }
    placed.sort_unstable_by_key(|span| (span.start, span.event));
    let mut furthest = None::<(u64, i64)>;
    for span in &placed {
        if span.start > 0 && window.byte(span.start - 1)? != Some(b'\n') {
            found.add(span.event, SpanFault::BeginsInsideALine);
        }
        match furthest {
            Some((end, other)) if span.start < end => {
                found.add(span.event, SpanFault::SharedWith(other));
                found.add(other, SpanFault::SharedWith(span.event));
            }
            _ => {}
        }
        if furthest.is_none_or(|(end, _)| span.end > end) {
            furthest = Some((span.end, span.event));
        }
    }
    Ok(found.first())
}

/// The violations with the smallest ids.
struct Found {
    violations: Vec<SpanViolation>,
    most: usize,
}

impl Found {
    fn add(&mut self, event: i64, what: SpanFault) {
        self.violations.push(SpanViolation { event, what });
        // Sorted now and then only: a damaged log may hold as many violations as events.
        if self.violations.len() >= self.most.saturating_mul(2).max(1024) {
            self.keep_first();
        }
    }

    fn keep_first(&mut self) {
        // The sort is stable: of one event's, the first that was found stays the first.
        self.violations.sort_by_key(|violation| violation.event);
        self.violations.dedup_by_key(|violation| violation.event);
        self.violations.truncate(self.most);
    }

    fn first(mut self) -> Vec<SpanViolation> {
        self.keep_first();
        self.violations
    }
}

/// A piece of the payload file that moves along it.
struct Window<'a> {
    payloads: &'a PayloadFile,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// The byte at this place; None past the end, where the file was cut short meanwhile.
    fn byte(&mut self, place: u64) -> Result<Option<u8>, Error> {
        let end = self.start + self.bytes.len() as u64;
        if !(self.start..end).contains(&place) {
            crate::interrupt::check()?;
            self.bytes.resize(WINDOW, 0);
            let read = self.payloads.piece(place, &mut self.bytes)?;
            self.bytes.truncate(read);
            self.start = place;
        }
        let at = usize::try_from(place - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.get(at).copied())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A log of three lines, `{"a":1}`, `{"b":22}` and `{"c":333}`, whose spans are set as told.
    fn log_of(spans: &[(i64, i64)]) -> (tempfile::TempDir, Log) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("payloads.jsonl"), "{\"a\":1}\n{\"b\":22}\n{\"c\":333}\n").unwrap();
        let writer = rusqlite::Connection::open(folder.path().join("audit.db")).unwrap();
        writer
            .execute_batch(
                "CREATE TABLE audit_events (id INTEGER PRIMARY KEY, created_at INTEGER, actor_id INTEGER, action TEXT,
                    resource_type TEXT, resource_id TEXT, payload_offset INTEGER, payload_len INTEGER);
                 CREATE INDEX idx_created_at ON audit_events (created_at)",
            )
            .unwrap();
        for (offset, len) in spans {
            let insert = "INSERT INTO audit_events VALUES (NULL, 1, 1, 'A', 'T', 'R', ?1, ?2)";
            writer.execute(insert, (offset, len)).unwrap();
        }
        let log = Log::open(folder.path()).unwrap();
        (folder, log)
    }

    fn told(spans: &[(i64, i64)]) -> Vec<(i64, SpanFault)> {
        let (_folder, log) = log_of(spans);
        violations(&log, 10).unwrap().into_iter().map(|found| (found.event, found.what)).collect()
    }

    #[test]
    fn lines_of_their_own_are_no_violation_in_any_order_and_with_gaps() {
        assert_eq!(told(&[]), []);
        assert_eq!(told(&[(0, 8), (8, 9), (17, 10)]), []);
        assert_eq!(told(&[(17, 10), (0, 8)]), []);
    }

    #[test]
    fn each_span_that_is_not_a_line_of_its_own_is_named() {
        assert_eq!(told(&[(0, 8), (9, 8), (17, 10)]), [(2, SpanFault::BeginsInsideALine)]);
        assert_eq!(told(&[(0, 8), (8, 8), (17, 10)]), [(2, SpanFault::EndsInsideALine)]);
        assert_eq!(told(&[(0, 8), (8, 0), (17, 11)]), [(2, SpanFault::Empty), (3, SpanFault::Outside)]);
        let outside = [(-1, 9), (0, -1), (i64::MAX, i64::MAX), (28, 1)];
        assert_eq!(told(&outside), [1, 2, 3, 4].map(|event| (event, SpanFault::Outside)));
    }

    #[test]
    fn both_events_that_share_a_byte_are_named_however_far_apart_they_are() {
        let shared = |a, b| [(a, SpanFault::SharedWith(b)), (b, SpanFault::SharedWith(a))];
        assert_eq!(told(&[(0, 8), (8, 9), (0, 8)]), shared(1, 3));
        // One that holds two lines shares bytes with both, also with the one that its begin is not in.
        let found = told(&[(0, 17), (0, 8), (8, 9)]);
        assert_eq!(found.iter().map(|(event, _)| *event).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn odd_cells_are_passed_over_and_no_more_are_named_than_asked_for() {
        let (folder, log) = log_of(&[(1, 7), (9, 8), (18, 9), (0, 8)]);
        let writer = rusqlite::Connection::open(folder.path().join("audit.db")).unwrap();
        writer.execute("UPDATE audit_events SET payload_len = 'seven' WHERE id = 1", []).unwrap();
        let found = violations(&log, 1).unwrap();
        assert_eq!(found.iter().map(|found| found.event).collect::<Vec<_>>(), [2]);
        assert_eq!(found[0].to_string(), "the span of event 2 begins inside a line");
    }
}

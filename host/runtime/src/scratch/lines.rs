//! The payload lines of covered events, looked at again and again: each event's span is a line of its own, and a line that was
//! seen once has stayed.
//!
//! A checksum of each line is kept beside the digests of the rows, in blocks of the same events. They are learnt on the first
//! round; an index that is filled anew learns them anew.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};

use crate::scratch::blocks;
use crate::scratch::fit::Coverage;
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::feed::Feeder;
use keyhole_log::lines::{Free, LineFault, Lines};

/// Bytes of a checksum; 0 stands for none.
const SUM: usize = 8;

/// Events whose faults are known already and not told again: a span stays wrong round after round.
const MOST_KNOWN: usize = 10_000;

/// Faults that are told of one piece.
const MOST_TOLD: usize = 20;

/// Makes the table in a new scratch.
pub(super) fn create(scratch: &Connection) -> rusqlite::Result<()> {
    scratch.execute_batch(
        "CREATE TABLE scratch.keyhole_line (first INTEGER PRIMARY KEY, checksums BLOB NOT NULL)",
    )
}

/// How far a round over the lines is. It is this process's own.
#[derive(Default)]
pub(super) struct Walk {
    /// The first event of the last block that was looked at.
    position: Option<i64>,
    free: Free,
    /// Which scratch that is: counted up when it is dropped.
    generation: u64,
    known: HashSet<(i64, LineFault)>,
}

/// What a piece of a round over the lines came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinesScrubbed {
    /// Lines that were looked at.
    pub events: u64,
    /// Lines of the round in all.
    pub of: u64,
    /// Whether all have been looked at now.
    pub ended: bool,
    /// What is wrong and was not told before, in words: the first of it.
    pub faults: Vec<String>,
    /// How much is.
    pub count: u64,
}

impl LinesScrubbed {
    fn add(&mut self, event: i64, fault: LineFault) {
        self.count += 1;
        if self.faults.len() < MOST_TOLD {
            self.faults.push(fault.of(event));
        }
    }
}

/// Looks at lines until `stop` says so: it is asked after each block. Only with the refresher's lock held.
pub(super) fn piece(
    scratch: &Connection,
    log: &Log,
    feeder: &Feeder,
    walk: &mut Walk,
    generation: u64,
    stop: impl Fn() -> bool,
) -> Result<LinesScrubbed, Error> {
    let (mut piece, covers) = (LinesScrubbed::default(), Coverage::load(scratch)?);
    let Some(covers) = covers.filter(|covers| covers.n > 0) else {
        return Ok(LinesScrubbed { ended: true, ..piece });
    };
    if walk.generation != generation {
        *walk = Walk { generation, known: std::mem::take(&mut walk.known), ..Walk::default() };
    }
    piece.of = covers.n;
    let mut lines = Lines::open(log)?;
    loop {
        keyhole_log::interrupt::check()?;
        let Some(ids) = blocks::next_ids(scratch, walk.position)? else {
            *walk = Walk { generation, known: std::mem::take(&mut walk.known), ..Walk::default() };
            piece.ended = true;
            return Ok(piece);
        };
        let (Some(&first), Some(&last)) = (ids.first(), ids.last()) else { return Ok(piece) };
        let (spans, before) = (feeder.spans(first, last)?, checksums(scratch, first)?);
        let (mut sums, mut faults) = (Vec::with_capacity(ids.len()), Vec::new());
        let mut spans_left = spans.iter().peekable();
        for (at, id) in ids.iter().enumerate() {
            let known = before.get(at).copied().unwrap_or(0);
            while spans_left.next_if(|(other, ..)| other < id).is_some() {}
            let Some((_, offset, len)) = spans_left.next_if(|(other, ..)| other == id) else {
                sums.push(known);
                continue;
            };
            match lines.checksum(&covers.key, *offset, *len)? {
                Ok(sum) => {
                    let sum = sum.max(1);
                    if known != 0 && known != sum {
                        faults.push((*id, LineFault::Changed));
                    }
                    sums.push(sum);
                }
                Err(fault) => {
                    faults.push((*id, fault));
                    sums.push(known);
                }
            }
            if !walk.free.take(*offset, *len) {
                faults.push((*id, LineFault::Shared));
            }
        }
        // Rows that are written anew meanwhile have lines that are: those are met as rows.
        if faults.is_empty() || feeder.spans(first, last)? == spans {
            for (id, fault) in faults {
                let told = fault != LineFault::Changed && walk.known.contains(&(id, fault));
                if !told {
                    piece.add(id, fault);
                }
                if walk.known.len() < MOST_KNOWN {
                    walk.known.insert((id, fault));
                }
            }
            if sums != before {
                keep(scratch, first, &sums)?;
            }
        }
        piece.events += ids.len() as u64;
        walk.position = Some(first);
        if stop() {
            return Ok(piece);
        }
    }
}

/// What is known of the lines of a block's events, in their order.
fn checksums(scratch: &Connection, first: i64) -> rusqlite::Result<Vec<u64>> {
    let read = |row: &rusqlite::Row<'_>| {
        let (sums, _) = row.get_ref(0)?.as_blob()?.as_chunks::<SUM>();
        Ok(sums.iter().map(|sum| u64::from_le_bytes(*sum)).collect())
    };
    scratch
        .prepare_cached("/*keyhole*/ SELECT checksums FROM scratch.keyhole_line WHERE first = ?1")?
        .query_row([first], read)
        .optional()
        .map(Option::unwrap_or_default)
}

fn keep(scratch: &Connection, first: i64, sums: &[u64]) -> rusqlite::Result<()> {
    let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
    scratch
        .prepare_cached("/*keyhole*/ INSERT OR REPLACE INTO scratch.keyhole_line VALUES (?1, ?2)")?
        .execute((first, bytes))
        .map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::scratch::{compare, tables};
    use keyhole_log::version::LogVersion;

    /// The contract's kind of log, and a scratch that was made from it.
    fn made(rows: u64) -> (tempfile::TempDir, Log, Connection) {
        let folder = tempfile::tempdir().unwrap();
        keyhole_log::dataset::seed(folder.path(), 1_767_052_800, rows, true, &mut |_| Ok(())).unwrap();
        let log = Log::open(folder.path()).unwrap();
        let scratch = compare::open(&folder.path().join("scratch.db")).unwrap();
        tables::create(&scratch, &LogVersion::of(&log.database).unwrap()).unwrap();
        blocks::create_beside_feed(&scratch).unwrap();
        let (feeder, mut covers, mut all) = (Feeder::open(&log).unwrap(), Coverage::nothing(), Vec::new());
        loop {
            let after = (covers.n > 0).then_some(covers.last);
            feeder.digests(&covers.key, after, i64::MAX, &mut all).unwrap();
            blocks::gather(&scratch, &all).unwrap();
            covers.extend(&all);
            if all.is_empty() {
                break;
            }
        }
        covers.store(&scratch, &log, &feeder).unwrap();
        (folder, log, scratch)
    }

    /// A whole round, in pieces of one block: what was told.
    fn round(scratch: &Connection, log: &Log, walk: &mut Walk) -> Vec<String> {
        let (feeder, mut told) = (Feeder::open(log).unwrap(), Vec::new());
        loop {
            let piece = piece(scratch, log, &feeder, walk, 0, || true).unwrap();
            told.extend(piece.faults);
            if piece.ended {
                return told;
            }
        }
    }

    #[test]
    fn a_line_that_was_seen_once_is_seen_to_have_stayed() {
        let (_folder, log, scratch) = made(1_500);
        let mut walk = Walk::default();
        assert_eq!(round(&scratch, &log, &mut walk), [""; 0]);
        assert_eq!(round(&scratch, &log, &mut walk), [""; 0]);
        let writer = rusqlite::Connection::open(&log.database).unwrap();
        let place = "SELECT payload_offset, payload_len FROM audit_events WHERE id = 700";
        let (offset, len): (i64, i64) =
            writer.query_row(place, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let payloads = std::fs::File::options().write(true).open(&log.payloads).unwrap();
        // Another line of JSON, of the same length.
        let line = format!("\"{}\"\n", "x".repeat(usize::try_from(len).unwrap() - 3));
        payloads.write_all_at(line.as_bytes(), u64::try_from(offset).unwrap()).unwrap();
        assert_eq!(round(&scratch, &log, &mut walk), ["the payload of event 700 is another one than it was"]);
        assert_eq!(round(&scratch, &log, &mut walk), [""; 0], "it is told once");
        // Another process knows the lines, too.
        payloads.write_all_at(b"\"y", u64::try_from(offset).unwrap()).unwrap();
        let told = round(&scratch, &log, &mut Walk::default());
        assert_eq!(told, ["the payload of event 700 is another one than it was"]);
    }

    #[test]
    fn spans_that_are_no_lines_of_their_own_are_told_once_each() {
        let (_folder, log, scratch) = made(1_200);
        let writer = rusqlite::Connection::open(&log.database).unwrap();
        for sql in [
            "UPDATE audit_events SET payload_offset = payload_offset + 1, payload_len = payload_len - 1 WHERE id = 5",
            "UPDATE audit_events SET payload_len = payload_len - 1 WHERE id = 6",
            "UPDATE audit_events SET payload_offset = -1 WHERE id = 7",
            "UPDATE audit_events SET payload_len = 'x' WHERE id = 8",
            "UPDATE audit_events SET (payload_offset, payload_len) =
                (SELECT payload_offset, payload_len FROM audit_events WHERE id = 9) WHERE id = 1100",
        ] {
            writer.execute(sql, []).unwrap();
        }
        let mut walk = Walk::default();
        assert_eq!(
            round(&scratch, &log, &mut walk),
            [
                "the span of event 5 begins inside a line",
                "the span of event 6 does not end with its line",
                "the span of event 7 lies outside of the payload file",
                "the span of event 1100 shares bytes with that of another event",
            ]
        );
        assert_eq!(round(&scratch, &log, &mut walk), [""; 0]);
    }
}

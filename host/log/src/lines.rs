//! Looking at payload lines one after another, as they lie in the file: whether each event's span is a line of its own, and
//! a checksum by which a line is known again.

use std::collections::BTreeMap;
use std::hash::Hasher;

use crate::Log;
use crate::digests::DigestKey;
use crate::error::Error;
use crate::payload::PayloadFile;

/// Bytes that are read at once: a log may claim a line of any length.
const CHUNK: usize = 64 << 10;

/// Pieces of the file between the lines, beyond which it is not looked at any more whether spans meet.
const MOST_FREE: usize = 100_000;

/// What is wrong with an event's span or line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineFault {
    /// The span lies outside of the file, or holds nothing.
    Outside,
    /// The byte before the span ends no line.
    BeginsInsideALine,
    /// The span's last byte ends no line.
    EndsInsideALine,
    /// The span holds more than one line.
    SeveralLines,
    /// The span has bytes in common with that of another event.
    Shared,
    /// The line is another one than the one that was there before.
    Changed,
}

impl LineFault {
    /// What is wrong with this event, in words.
    pub fn of(self, event: i64) -> String {
        match self {
            Self::Outside => format!("the span of event {event} lies outside of the payload file"),
            Self::BeginsInsideALine => format!("the span of event {event} begins inside a line"),
            Self::EndsInsideALine => format!("the span of event {event} does not end with its line"),
            Self::SeveralLines => format!("the span of event {event} holds more than one line"),
            Self::Shared => format!("the span of event {event} shares bytes with that of another event"),
            Self::Changed => format!("the payload of event {event} is another one than it was"),
        }
    }
}

/// The payload file, to be looked at line by line.
pub struct Lines {
    file: PayloadFile,
    chunk: Vec<u8>,
}

impl Lines {
    /// Opens the log's payload file.
    pub fn open(log: &Log) -> Result<Self, Error> {
        Ok(Self { file: PayloadFile::open(&log.payloads)?, chunk: vec![0; CHUNK] })
    }

    /// The checksum of the line in a span, or what is wrong with it.
    pub fn checksum(
        &mut self,
        key: &DigestKey,
        offset: i64,
        len: i64,
    ) -> Result<Result<u64, LineFault>, Error> {
        let (Ok(start), Ok(len)) = (u64::try_from(offset), u64::try_from(len)) else {
            return Ok(Err(LineFault::Outside));
        };
        // No file reaches beyond what the system can number.
        let Some(end) = start.checked_add(len).filter(|end| len > 0 && i64::try_from(*end).is_ok()) else {
            return Ok(Err(LineFault::Outside));
        };
        // With the byte before it.
        let (mut place, mut hasher, mut first) = (start.saturating_sub(1), key.hasher(), start > 0);
        while place < end {
            let size = usize::try_from(end - place).unwrap_or(CHUNK).min(CHUNK);
            let Some(chunk) = self.chunk.get_mut(..size) else { break };
            if self.file.piece(place, chunk)? < size {
                return Ok(Err(LineFault::Outside));
            }
            let mut line = &*chunk;
            if std::mem::take(&mut first) {
                let Some((b'\n', rest)) = line.split_first() else {
                    return Ok(Err(LineFault::BeginsInsideALine));
                };
                line = rest;
            }
            hasher.write(line);
            place += size as u64;
            if place == end {
                let Some((b'\n', rest)) = line.split_last() else {
                    return Ok(Err(LineFault::EndsInsideALine));
                };
                line = rest;
            }
            if line.contains(&b'\n') {
                return Ok(Err(LineFault::SeveralLines));
            }
        }
        Ok(Ok(hasher.finish()))
    }
}

/// Which bytes of the file no span has taken yet. Lines that lie end to end in the order of their events take next to no
/// memory.
#[derive(Clone, Debug)]
pub struct Free {
    /// Begin and end of each piece.
    pieces: BTreeMap<u64, u64>,
}

impl Default for Free {
    fn default() -> Self {
        Self { pieces: BTreeMap::from([(0, u64::MAX)]) }
    }
}

impl Free {
    /// Takes a span. False where another one has taken a byte of it. A file whose lines lie too far apart from each other to
    /// be remembered is not looked at any more: then it is always true.
    pub fn take(&mut self, offset: i64, len: i64) -> bool {
        let (Ok(start), Ok(len)) = (u64::try_from(offset), u64::try_from(len)) else { return true };
        let end = start.saturating_add(len);
        if self.pieces.is_empty() || start == end {
            return true;
        }
        let piece = self.pieces.range(..=start).next_back().map(|(begin, till)| (*begin, *till));
        let Some((begin, till)) = piece.filter(|(_, till)| end <= *till) else { return false };
        self.pieces.remove(&begin);
        if begin < start {
            self.pieces.insert(begin, start);
        }
        if end < till {
            self.pieces.insert(end, till);
        }
        if self.pieces.len() > MOST_FREE {
            self.pieces.clear();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_span_is_taken_once(spans in proptest::collection::vec((0i64..60, 1i64..8), 0..40)) {
            let (mut free, mut taken) = (Free::default(), [false; 80]);
            for (offset, len) in spans {
                let bytes = usize::try_from(offset).unwrap()..usize::try_from(offset + len).unwrap();
                let is_free = taken[bytes.clone()].iter().all(|byte| !byte);
                prop_assert_eq!(free.take(offset, len), is_free);
                if is_free {
                    taken[bytes].fill(true);
                }
            }
        }
    }

    #[test]
    fn lines_end_to_end_take_one_piece_and_scattered_ones_are_given_up() {
        let mut free = Free::default();
        assert!((0..1_000).all(|line| free.take(line * 10, 10)));
        assert_eq!(free.pieces.len(), 1);
        let most = i64::try_from(MOST_FREE).unwrap();
        assert!((0..=most).all(|line| free.take(20_000 + line * 10, 5)));
        assert!(free.take(0, 10), "it is not looked at any more");
    }

    #[test]
    fn each_fault_of_a_span_has_its_name_and_a_line_has_one_checksum() {
        let folder = tempfile::tempdir().unwrap();
        crate::dataset::seed(folder.path(), 1_767_052_800, 1, true, &mut |_| Ok(())).unwrap();
        let log = Log::open(folder.path()).unwrap();
        let long = "x".repeat(3 * CHUNK);
        std::fs::write(&log.payloads, format!("first\nsecond\n{long}\n")).unwrap();
        let (mut lines, key) = (Lines::open(&log).unwrap(), DigestKey::random());
        let mut look = |offset, len| lines.checksum(&key, offset, len).unwrap();
        let size = i64::try_from(long.len()).unwrap() + 1;
        assert_eq!(look(0, 6), Ok(key.of_bytes(b"first\n")));
        assert_eq!(look(6, 7), Ok(key.of_bytes(b"second\n")));
        assert_eq!(look(13, size), Ok(key.of_bytes(format!("{long}\n").as_bytes())));
        for (offset, len, fault) in [
            (-1, 3, LineFault::Outside),
            (0, 0, LineFault::Outside),
            (0, -1, LineFault::Outside),
            (i64::MAX, i64::MAX, LineFault::Outside),
            (13, size + 1, LineFault::Outside),
            (7, 6, LineFault::BeginsInsideALine),
            (6, 6, LineFault::EndsInsideALine),
            (0, 13, LineFault::SeveralLines),
            (6, 7 + size, LineFault::SeveralLines),
        ] {
            assert_eq!(look(offset, len), Err(fault), "{offset} {len}");
        }
    }
}

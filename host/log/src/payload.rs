//! The payload file: positioned reads, and the proof that a span is one line of JSON.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::Identity;
use crate::error::Error;
use crate::files::SYMBOLIC_LINK;
use crate::model::{Span, span_at};

/// The opened payload file. It is never mapped: a file that is truncated while mapped kills the
/// process that reads it.
#[derive(Debug)]
pub struct PayloadFile {
    file: File,
    path: PathBuf,
    identity: Identity,
    /// Its length when last looked at. It only grows.
    len: u64,
}

impl PayloadFile {
    /// Opens the file for reading.
    pub fn open(path: &Path) -> Result<Self, Error> {
        // A link that is put there while pages are served would lead anywhere.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::LOOP) => return Err(Error::bad_log(path, SYMBOLIC_LINK)),
            Err(error) => return Err(Error::io(path, error.into())),
        };
        let metadata = file.metadata().map_err(|source| Error::io(path, source))?;
        let identity = Identity::from_metadata(&metadata);
        Ok(Self { file, path: path.to_owned(), identity, len: metadata.len() })
    }

    /// Fails if the path leads to another file by now.
    pub fn check_in_place(&self) -> Result<(), Error> {
        if Identity::of(&self.path)? == self.identity {
            Ok(())
        } else {
            Err(Error::LogReplaced { path: self.path.clone() })
        }
    }

    /// Its length when it was last looked at.
    pub(crate) fn size(&self) -> u64 {
        self.len
    }

    /// Reads what lies from a place on into the buffer; how many bytes, fewer than it holds only at the end.
    pub(crate) fn piece(&self, start: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, start + read as u64) {
                Ok(0) => break,
                Ok(bytes) => read += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(&self.path, error)),
            }
        }
        Ok(read)
    }

    /// Appends an event's line to `buffer`, newline included, and checks that it is one line of JSON.
    /// On an error the buffer is as it was. `room` is how many bytes the request may still read: a
    /// longer line inside the file is `Budget`, and nothing is allocated for it.
    pub fn read(
        &mut self,
        id: i64,
        offset: i64,
        len: i64,
        room: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let corrupt = |why: String| Error::PayloadCorrupt { id, why };
        let (Ok(start), Ok(bytes)) = (u64::try_from(offset), u64::try_from(len)) else {
            return Err(corrupt(format!("its span is negative: offset {offset}, length {len}")));
        };
        let end = start
            .checked_add(bytes)
            .ok_or_else(|| corrupt(format!("its span overflows: offset {offset}, length {len}")))?;
        if end > self.len {
            self.len = self.file.metadata().map_err(|source| Error::io(&self.path, source))?.len();
        }
        if end > self.len {
            return Err(corrupt(format!(
                "its span ends at byte {end}, past the end of the payload file at {}",
                self.len
            )));
        }
        if bytes > room {
            return Err(Error::Budget { limit: "payload_bytes", allowed: room });
        }
        let held = buffer.len();
        let size = usize::try_from(bytes).map_err(|_| corrupt(format!("its length is {len}")))?;
        buffer.resize(held + size, 0);
        let outcome = match buffer.get_mut(held..) {
            Some(line) => self
                .file
                .read_exact_at(line, start)
                .map_err(|error| match error.kind() {
                    std::io::ErrorKind::UnexpectedEof => corrupt("the payload file was cut short".to_owned()),
                    _ => Error::io(&self.path, error),
                })
                .and_then(|()| check_line(line).map_err(corrupt)),
            None => Ok(()),
        };
        if outcome.is_err() {
            buffer.truncate(held);
        }
        outcome
    }
}

/// The payload lines that a call has read, one after another, and which events' the strategy has read itself.
#[derive(Default)]
pub(crate) struct Payloads {
    bytes: Vec<u8>,
    spans: Vec<(i64, Span)>,
}

impl Payloads {
    /// Forgets the lines of the call before.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Makes room for so many bytes in all.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes.saturating_sub(self.bytes.len()));
    }

    /// Where the line of an event lies that the strategy has read.
    pub(crate) fn span(&self, id: i64) -> Option<Span> {
        self.spans.iter().find(|(held, _)| *held == id).map(|(_, span)| *span)
    }

    /// Notes that the strategy has read an event's line, which lies there.
    pub(crate) fn remember(&mut self, id: i64, span: Span) {
        self.spans.push((id, span));
    }

    /// The line in this place.
    pub(crate) fn line(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.bytes.get(start..start + span.len as usize).unwrap_or_default()
    }

    /// Reads an event's line of at most `room` bytes, and returns where it lies now.
    pub(crate) fn read(
        &mut self,
        file: &mut PayloadFile,
        id: i64,
        offset: i64,
        len: i64,
        room: u64,
    ) -> Result<Span, Error> {
        let start = self.bytes.len();
        file.read(id, offset, len, room, &mut self.bytes)?;
        Ok(span_at(start, self.bytes.len() - start))
    }

    /// Hands over all lines.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

/// Checks that the bytes are one JSON value and a newline, and nothing else.
///
/// Two ways through the same parser, alike in what they accept: reading over a value takes half the time
/// of decoding it (1.7 against 3.5 µs for a line of 1.2 KB), and differs only in what [`Doubts`] look for.
/// `simd-json` on a copy took as long as decoding, `sonic-rs` built for any x86-64 twice as long.
fn check_line(line: &[u8]) -> Result<(), String> {
    let Some((b'\n', json)) = line.split_last() else {
        return Err("its span does not end with its line".to_owned());
    };
    let doubts = Doubts::of(json);
    if doubts.newline {
        return Err("its span holds more than one line".to_owned());
    }
    let text = std::str::from_utf8(json).map_err(|error| format!("its line is not UTF-8: {error}"))?;
    let checked = if doubts.decode {
        serde_json::from_str::<Checked>(text).map(drop)
    } else {
        serde_json::from_str::<IgnoredAny>(text).map(drop)
    };
    checked.map_err(|error| format!("its line is not one JSON value: {error}"))
}

/// A number that is out of range without an exponent has more than 308 digits, and so a whole piece of this
/// many bytes among them.
const ALL_DIGITS: usize = 150;

/// The decoder follows 127 levels.
const DEEP: usize = 127;

/// Bytes that are looked at between two sums: fewer than a byte counts to.
const LANE: usize = 128;

/// What a line's bytes alone show.
struct Doubts {
    /// There is a line break before its end.
    newline: bool,
    /// It may hold what a parser that only reads over it would accept: half of a surrogate pair, a number
    /// out of range, or values nested deeper than a decoder follows.
    decode: bool,
}

impl Doubts {
    /// Loops over slices that add up bytes, since those are what the compiler makes vector instructions of: an
    /// iterator that carried the byte before along took twenty instructions a byte, more than all parsing.
    fn of(json: &[u8]) -> Self {
        let (mut newlines, mut escapes, mut opened) = (0_u8, 0_u8, 0_usize);
        for piece in json.chunks(LANE) {
            let mut opened_here = 0_u8;
            for byte in piece {
                newlines |= u8::from(*byte == b'\n');
                escapes |= u8::from(*byte == b'\\');
                // Brackets differ from braces in this one bit.
                opened_here += u8::from(byte | 0x20 == b'{');
            }
            opened += usize::from(opened_here);
        }
        let mut exponents = 0_u8;
        for (before, byte) in json.iter().zip(json.get(1..).unwrap_or_default()) {
            exponents |= u8::from(before.is_ascii_digit()) & u8::from(byte | 0x20 == b'e');
        }
        let long = json.chunks_exact(ALL_DIGITS).any(|piece| piece.iter().all(u8::is_ascii_digit));
        let decode = escapes != 0 || exponents != 0 || long || opened >= DEEP;
        Self { newline: newlines != 0, decode }
    }
}

/// A value that is decoded and thrown away: exactly what a strategy that decodes its payloads would
/// accept, numbers in range and surrogates in pairs included, and nothing built.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self, A::Error> {
        while elements.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(content: &[u8]) -> (tempfile::NamedTempFile, PayloadFile) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let payloads = PayloadFile::open(file.path()).unwrap();
        (file, payloads)
    }

    fn why(content: &[u8], offset: i64, len: i64) -> String {
        let (_file, mut payloads) = file(content);
        let mut buffer = b"held".to_vec();
        let error = payloads.read(7, offset, len, 1000, &mut buffer).unwrap_err();
        assert_eq!(buffer, b"held", "a failed read leaves the buffer as it was");
        assert_eq!(error.code(), "payload-corrupt");
        error.to_string()
    }

    #[test]
    fn a_line_is_read_with_its_newline() {
        let (_file, mut payloads) = file(b"{}\n[1, 2]\n");
        let mut buffer = Vec::new();
        payloads.read(1, 3, 7, 7, &mut buffer).unwrap();
        assert_eq!(buffer, b"[1, 2]\n");
    }

    #[test]
    fn every_span_that_is_not_one_line_of_json_names_the_event() {
        assert!(why(b"{}\n", 0, 4).contains("past the end"));
        assert!(why(b"{}\n", 1 << 40, 3).contains("past the end"));
        assert!(why(b"{}\n", i64::MAX, i64::MAX).contains("past the end"));
        assert!(why(b"{}\n", -1, 3).contains("negative"));
        assert!(why(b"{}\n", 0, -3).contains("negative"));
        assert!(why(b"{}\n", 0, 0).contains("does not end"));
        assert!(why(b"{}\n", 0, 2).contains("does not end"));
        assert!(why(b"{}\n{}\n", 0, 6).contains("more than one line"));
        assert!(why(b"{} {}\n", 0, 6).contains("not one JSON value"));
        assert!(why(b"{\n", 0, 2).contains("not one JSON value"));
        assert!(why(b"\"\xff\"\n", 0, 4).contains("UTF-8"));
        assert!(why(b"1e999\n", 0, 6).contains("not one JSON value"));
        assert!(why(b"\"\\ud800\"\n", 0, 9).contains("not one JSON value"));
        assert!(why(b"{}\n", 0, 4).contains("event 7"));
    }

    /// What is only read over is accepted exactly where decoding accepts it.
    #[test]
    fn both_ways_of_checking_a_line_accept_the_same() {
        let long = |digits: usize| format!("[{}]", "7".repeat(digits));
        let lines = [
            "1e999",
            "-1E999",
            "[1e308]",
            "1e-999",
            "\"1e999\"",
            "\"\\ud800\"",
            "\"\\ud83d\\ude00\"",
            "\"\\udc00\\ud800\"",
            "{\"\\ud800\":1}",
            "\"\\x\"",
            "01",
            "-",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "nul",
            "tru",
            "\"a\u{1}\"",
            "\"a",
            "[[]",
            "{}x",
            "",
            " ",
            " {} ",
            "1.",
            "1.e1",
            "1e",
            "-0",
            "18446744073709551616",
        ];
        let longs = [149, 150, 299, 308, 309, 310, 400, 1000].map(long);
        let deep = [126, 127, 128, 129].map(|depth| "[".repeat(depth) + &"]".repeat(depth));
        for line in lines.into_iter().map(str::to_owned).chain(longs).chain(deep) {
            let decoded = serde_json::from_str::<Checked>(&line).is_ok();
            assert_eq!(check_line(format!("{line}\n").as_bytes()).is_ok(), decoded, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_line_both_ways_accept_the_same(
            line in "[\\[\\]{},:\"\\\\a-eu0-9.+ -]{0,40}", padding in 0_usize..320,
        ) {
            for line in [line.clone(), format!("[{}{line}", "1".repeat(padding))] {
                let decoded = serde_json::from_str::<Checked>(&line).is_ok();
                proptest::prop_assert_eq!(check_line(format!("{line}\n").as_bytes()).is_ok(), decoded, "{}", line);
            }
        }
    }

    #[test]
    fn a_file_that_grows_is_seen_and_one_that_shrinks_is_an_error() {
        let (mut handle, mut payloads) = file(b"1\n");
        handle.write_all(b"2\n").unwrap();
        payloads.read(1, 2, 2, 9, &mut Vec::new()).unwrap();
        handle.as_file().set_len(1).unwrap();
        let error = payloads.read(1, 0, 2, 9, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("cut short"), "{error}");
    }

    #[test]
    fn a_line_longer_than_the_budget_is_not_read() {
        let (_file, mut payloads) = file(b"{}\n[1, 2]\n");
        let error = payloads.read(1, 3, 7, 6, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, Error::Budget { limit: "payload_bytes", .. }));
    }

    #[test]
    fn a_replaced_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payloads.jsonl");
        std::fs::write(&path, "1\n").unwrap();
        let payloads = PayloadFile::open(&path).unwrap();
        payloads.check_in_place().unwrap();
        std::fs::write(folder.path().join("other"), "2\n").unwrap();
        std::fs::rename(folder.path().join("other"), &path).unwrap();
        assert!(matches!(payloads.check_in_place(), Err(Error::LogReplaced { .. })));
    }
}

//! The payload file: positioned reads, and the proof that a span is one whole line of it, and JSON.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, PayloadFault};
use crate::files::SYMBOLIC_LINK;
use crate::model::{Span, span_at};
use crate::{Identity, json};

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

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length when it was opened, or last looked at.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// All of it as it was when it was opened, from front to back. To be called once.
    pub(crate) fn whole(&self) -> impl BufRead {
        BufReader::with_capacity(1 << 20, &self.file).take(self.len)
    }

    /// Its length, where its last line has no line break.
    pub(crate) fn unended(&self) -> Result<Option<u64>, Error> {
        let Some(last) = self.len.checked_sub(1) else { return Ok(None) };
        let mut byte = [0];
        self.file.read_exact_at(&mut byte, last).map_err(|source| Error::io(&self.path, source))?;
        Ok((byte != [b'\n']).then_some(self.len))
    }

    /// Fails if the path leads to another file by now.
    pub fn check_in_place(&self) -> Result<(), Error> {
        if Identity::of(&self.path)? == self.identity {
            Ok(())
        } else {
            Err(Error::LogReplaced { path: self.path.clone() })
        }
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

    /// Appends an event's line to `buffer`, newline included, and checks that it is one whole line of the file, and
    /// JSON. On an error the buffer is as it was. `room` is how many bytes the request may still read: a longer line
    /// inside the file is `Budget`, and nothing is allocated for it.
    pub fn read(
        &mut self,
        id: i64,
        offset: i64,
        len: i64,
        room: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let corrupt = |why: String| corrupt(id, PayloadFault::Place, why);
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
        let size = usize::try_from(bytes).map_err(|_| corrupt(format!("its length is {len}")))?;
        let held = buffer.len();
        let outcome = self.append(id, start, size, buffer).and_then(|before| {
            let line = buffer.get(held..).unwrap_or_default();
            check_line(before, line).map_err(|(fault, why)| self::corrupt(id, fault, why))
        });
        if outcome.is_err() {
            buffer.truncate(held);
        }
        outcome
    }

    /// Appends `size` bytes from `start` on, and returns the byte before them, which the same call reads; none where
    /// they begin the file. It lies for that long on the buffer's last byte, so that no line is moved.
    fn append(&self, id: i64, start: u64, size: usize, buffer: &mut Vec<u8>) -> Result<Option<u8>, Error> {
        let Some(place) = start.checked_sub(1) else {
            let held = buffer.len();
            buffer.resize(held + size, 0);
            self.fill(id, 0, buffer.get_mut(held..).unwrap_or_default())?;
            return Ok(None);
        };
        let Some(kept) = buffer.last().copied() else {
            buffer.resize(size + 1, 0);
            self.fill(id, place, buffer)?;
            return Ok(Some(buffer.remove(0)));
        };
        let last = buffer.len() - 1;
        buffer.resize(last + 1 + size, 0);
        let outcome = self.fill(id, place, buffer.get_mut(last..).unwrap_or_default());
        let before = buffer.get_mut(last).map(|byte| std::mem::replace(byte, kept));
        outcome.map(|()| before)
    }

    fn fill(&self, id: i64, place: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.file.read_exact_at(bytes, place).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                corrupt(id, PayloadFault::Place, "the payload file was cut short".to_owned())
            }
            _ => Error::io(&self.path, error),
        })
    }
}

fn corrupt(id: i64, fault: PayloadFault, why: String) -> Error {
    Error::PayloadCorrupt { id, fault, why, after: None }
}

/// What comparisons have in place of a payload that cannot be shown.
pub(crate) const STAND_IN: &[u8] = b"null\n";

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

    /// Appends the stand-in of a line that cannot be shown, and returns where it lies.
    pub(crate) fn stand_in(&mut self) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(STAND_IN);
        span_at(start, STAND_IN.len())
    }

    /// Hands over all lines.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

/// Checks that the bytes are one line of the file that is JSON, and nothing else. `before` is the byte before them.
fn check_line(before: Option<u8>, line: &[u8]) -> Result<(), (PayloadFault, String)> {
    let misplaced = |why: &str| Err((PayloadFault::Place, why.to_owned()));
    let Some((b'\n', json)) = line.split_last() else {
        return misplaced("its span does not end with its line");
    };
    if before.is_some_and(|byte| byte != b'\n') {
        return misplaced("its span begins inside a line");
    }
    if json.contains(&b'\n') {
        return misplaced("its span holds more than one line");
    }
    json::check(json).map_err(|why| (PayloadFault::NotJson, why))
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
        assert!(why(b"{\"a\": 12345}\n", 6, 7).contains("begins inside a line"));
        assert!(why(b"{}\n12345\n", 6, 3).contains("begins inside a line"));
        assert!(why(b"{}\n\n{}\n", 3, 4).contains("more than one line"));
        assert!(why(b"{} {}\n", 0, 6).contains("'{' at byte 3 is not JSON"));
        assert!(why(b"{\n", 0, 2).contains("ends before its JSON value does"));
        assert!(why(b"\n", 0, 1).contains("ends before its JSON value does"));
        assert!(why(b"\"\xff\"\n", 0, 4).contains("byte 0xff at 1 is not UTF-8"));
        assert!(why(b"{\"a\": NaN}\n", 0, 11).contains("NaN at byte 6 is not JSON"));
        assert!(why(b"{}\n", 0, 4).contains("event 7"));
    }

    /// What is wrong with the file is told from what was written there.
    #[test]
    fn whoever_wrote_no_json_is_not_sent_to_a_backup() {
        let fix = |content: &[u8], offset: i64, len: i64| {
            let (_file, mut payloads) = file(content);
            payloads.read(7, offset, len, 1000, &mut Vec::new()).unwrap_err().fix().unwrap()
        };
        assert!(fix(b"{}\n{}\n", 1, 2).contains("backup"));
        assert!(fix(b"{}\n", 0, 9).contains("backup"));
        for line in [&b"NaN\n"[..], b"[Infinity]\n", b"\"\xff\"\n", b"{\n", b"\"\x01\"\n", b"[1,]\n"] {
            let said = fix(line, 0, i64::try_from(line.len()).unwrap());
            assert!(!said.contains("backup") && said.contains("writer"), "{said}");
        }
    }

    #[test]
    fn a_line_is_copied_byte_for_byte_whatever_the_buffer_holds_already() {
        let content = b"1e400\n\"\\ud800\"\n[ ]\n";
        let (_file, mut payloads) = file(content);
        for held in [&b""[..], b"x", b"{}\n"] {
            let mut buffer = held.to_vec();
            for (offset, len) in [(0, 6), (6, 9), (15, 4), (6, 9)] {
                payloads.read(1, offset, len, 99, &mut buffer).unwrap();
            }
            assert_eq!(buffer, [held, content, b"\"\\ud800\"\n"].concat());
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

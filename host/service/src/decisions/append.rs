//! Appends to the decision log: by one process at a time, a whole line or nothing.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::check::check_held;
use super::file::{Decisions, PATIENCE, lock, no_links};
use super::record::{Decision, Head, MOST_LINE, Record, Torn};
use keyhole_log::error::Error;

/// How far back the last record is looked for: it, and the remains of a few appends that were cut short.
const TAIL: u64 = 4 * MOST_LINE as u64;

/// Where the log goes on.
struct End {
    /// The last record.
    head: Head,
    /// How long the file is.
    bytes: u64,
    /// Whether the next record needs a newline before it.
    open: bool,
    /// What is left of appends that were cut short.
    torn: Option<Torn>,
}

impl Decisions {
    /// Records a decision. When this returns, the record is on disk. Returns its place in the chain.
    ///
    /// A log that does not end as it should is not continued. The one exception is an append that was
    /// cut short, by a crash, before its decision was acted upon: its bytes stay, and a record of its
    /// own passes over them.
    pub fn record(&self, decision: &Decision) -> Result<Head, Error> {
        let mut file = self.locked()?;
        let end = self.end(&mut file)?;
        let mut lines = Vec::new();
        if end.open {
            lines.push(b'\n');
        }
        let mut head = end.head;
        if let Some(torn) = end.torn {
            head = self.chained(Record::repair(&head, torn), &mut lines)?;
        }
        head = self.chained(Record::after(&head, decision), &mut lines)?;
        let written = file.write_all(&lines).and_then(|()| file.sync_data());
        if let Err(source) = written {
            // Nothing of it was acknowledged. Where even this fails, the next append passes over it.
            let _ = file.set_len(end.bytes);
            return Err(Error::io(self.path(), source));
        }
        self.keep_head(&head)?;
        // The names of both files, too.
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| Error::io(&self.folder, source))?;
        Ok(head)
    }

    fn chained(&self, record: serde_json::Result<Record>, lines: &mut Vec<u8>) -> Result<Head, Error> {
        let bad = |error: serde_json::Error| Error::io(self.path(), error.into());
        let record = record.map_err(bad)?;
        lines.extend(record.line().map_err(bad)?);
        Ok(record.head())
    }

    /// The file, made where it is absent, and no other process at it.
    fn locked(&self) -> Result<File, Error> {
        let mut made = std::fs::DirBuilder::new();
        let made = made.recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| Error::io(&self.folder, source))?;
        let path = self.path();
        let failed = |source| Error::io(&path, source);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600).custom_flags(no_links());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let file = options.open(&path).map_err(failed)?;
            lock(deadline, || file.try_lock()).map_err(failed)?;
            // Moved away while we waited: the lock is on a file that no longer is the log.
            let ours = file.metadata().map_err(failed)?;
            if std::fs::metadata(&path)
                .is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
            {
                return Ok(file);
            }
        }
    }

    /// Finds the last record and holds it against the head beside the log.
    fn end(&self, file: &mut File) -> Result<End, Error> {
        let broken = |what: String| Error::BadDecisions { path: self.path(), what };
        let failed = |source| Error::io(self.path(), source);
        let bytes = file.metadata().map_err(failed)?.len();
        let from = bytes.saturating_sub(TAIL);
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        file.take(TAIL).read_to_end(&mut tail).map_err(failed)?;
        let (last, rest) = last_record(&tail);
        if last.is_none() && from > 0 {
            return Err(broken("its end holds no record".to_owned()));
        }
        let open = tail.last().is_some_and(|byte| *byte != b'\n');
        let remains = rest.strip_suffix(b"\n").unwrap_or(rest);
        let torn = (!rest.is_empty()).then(|| Torn {
            byte: bytes - rest.len() as u64,
            bytes: remains.len() as u64,
            sha256: keyhole_log::hash::hex(&Sha256::digest(remains)),
        });
        let head = last.as_ref().map_or_else(Head::start, Record::head);
        let prev = last.map(|record| record.prev);
        let follows = match self.kept_head()? {
            Some(kept) if kept == head => true,
            // A crash came between the record and its head.
            Some(kept) if kept.seq + 1 == head.seq && Some(&kept.hash) == prev.as_ref() => true,
            None if prev.is_none() => true,
            _ => check_held(self, &[])?.faults.iter().all(|fault| fault.torn),
        };
        if !follows {
            let what = format!("its end, record {}, does not fit what was recorded before", head.seq);
            return Err(broken(what));
        }
        Ok(End { head, bytes, open, torn })
    }

    fn keep_head(&self, head: &Head) -> Result<(), Error> {
        let path = self.head_path();
        // Only whoever holds the log's lock comes here, so one name for the draft is enough.
        let draft = self.folder.join("decisions.head.new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(no_links());
        let write = || -> std::io::Result<()> {
            let mut file = options.open(&draft)?;
            file.write_all(format!("{head}\n").as_bytes())?;
            file.sync_data()?;
            std::fs::rename(&draft, &path)
        };
        write().map_err(|source| Error::io(&path, source))
    }
}

/// The last line that is a record, and what stands after it. A record whose newline alone is missing
/// counts: all of it is there.
fn last_record(tail: &[u8]) -> (Option<Record>, &[u8]) {
    let mut rest = tail.len();
    while rest > 0 {
        let before = tail.get(..rest).unwrap_or_default();
        let line = before.strip_suffix(b"\n").unwrap_or(before);
        let begin = line.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if let Ok(record) = Record::parse(line.get(begin..).unwrap_or_default()) {
            return (Some(record), tail.get(rest..).unwrap_or_default());
        }
        rest = begin;
    }
    (None, tail)
}

//! The files of the decision log, their lock, and how the log is read line by line.

use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::record::{Head, MOST_LINE};
use keyhole_log::error::Error;

/// How long another process may hold the log: an append takes a few milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The decision log of a state folder.
#[derive(Clone, Debug)]
pub struct Decisions {
    pub(super) folder: PathBuf,
}

impl Decisions {
    /// The log of a state folder; folder and file are made when there is something to record.
    pub fn open(state: &Path) -> Self {
        Self { folder: state.to_owned() }
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.join("decisions.jsonl")
    }

    /// The file beside it that holds the last head.
    pub(super) fn head_path(&self) -> PathBuf {
        self.folder.join("decisions.head")
    }

    /// Keeps appends away while the log is read; None where there is no log.
    pub(super) fn held(&self) -> Result<Option<File>, Error> {
        let path = self.path();
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|source| Error::io(&path, source))?,
        };
        lock(Instant::now() + PATIENCE, || file.try_lock_shared())
            .map_err(|source| Error::io(&path, source))?;
        Ok(Some(file))
    }

    /// The lines of the log, from its beginning; none where there is no log.
    pub(super) fn lines(&self) -> Result<Lines, Error> {
        let path = self.path();
        let reader = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            opened => Some(BufReader::new(opened.map_err(|source| Error::io(&path, source))?)),
        };
        Ok(Lines { path, reader, number: 0, end: 0 })
    }

    /// The head that was written last; None where there is none.
    pub(super) fn kept_head(&self) -> Result<Option<Head>, Error> {
        let path = self.head_path();
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(256).read_to_string(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => text.clear(),
            Err(source) => return Err(Error::io(path, source)),
        }
        let head = text.strip_suffix('\n').and_then(|head| head.parse().ok());
        let what = "it does not hold SEQ:HASH and a newline".to_owned();
        head.map(Some).ok_or(Error::BadDecisions { path, what })
    }
}

/// One line as it stands in the file.
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    /// Its number, from 1.
    pub(super) number: u64,
    /// Where it begins.
    pub(super) at: u64,
    /// Whether a newline ends it.
    pub(super) whole: bool,
}

/// Reads the log line by line.
pub(super) struct Lines {
    path: PathBuf,
    reader: Option<BufReader<File>>,
    /// How many lines were read.
    pub(super) number: u64,
    /// Where the last of them ends.
    pub(super) end: u64,
}

impl Iterator for Lines {
    type Item = Result<Line, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut bytes, at) = (Vec::new(), self.end);
        let mut limited = self.reader.as_mut()?.take(MOST_LINE as u64);
        match limited.read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(read) => self.end += read as u64,
            Err(source) => {
                self.reader = None;
                return Some(Err(Error::io(&self.path, source)));
            }
        }
        self.number += 1;
        let whole = bytes.pop_if(|last| *last == b'\n').is_some();
        Some(Ok(Line { bytes, number: self.number, at, whole }))
    }
}

/// A flag to open files with: a link in the place of a file of ours was put there by somebody else.
pub(crate) fn no_links() -> i32 {
    (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC).bits().cast_signed()
}

/// Takes a lock of the file's, which another process may hold until the deadline.
pub(super) fn lock(deadline: Instant, attempt: impl Fn() -> Result<(), TryLockError>) -> std::io::Result<()> {
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(TryLockError::WouldBlock) => {
                let what = "another process holds the log's lock";
                return Err(std::io::Error::new(ErrorKind::WouldBlock, what));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

//! Where the readers of this process let the log's writer in.
//!
//! While a writer waits for its commit, SQLite shuts new readers out; but a process has its lock as a whole,
//! and SQLite lets one of its readers in without a look at the writer as long as another one reads. Readers
//! that overlap without end would keep the writer waiting until it gives up: so each asks here first.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::AcqRel, Ordering::Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};

use crate::Identity;
use crate::error::Error;
use crate::files::SYMBOLIC_LINK;

/// The byte that a writer locks while it waits for readers: SQLite's file format says so.
const PENDING_BYTE: u64 = 0x4000_0000;

/// One file's.
#[derive(Debug)]
pub(super) struct ReaderGate {
    path: PathBuf,
    identity: Identity,
    file: OwnedFd,
    readers: AtomicU32,
}

/// Those of all files that are or were read. Closing a file gives up every lock that the process has on it,
/// other connections' included: a file stays open as long as it lies at its path or anyone reads it.
static ALL: Mutex<Vec<Arc<ReaderGate>>> = Mutex::new(Vec::new());

/// A reader's stay; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct ReadPermit {
    reader_gate: Arc<ReaderGate>,
    since: Instant,
}

impl ReaderGate {
    /// That of the file at this path.
    pub(super) fn of(path: &Path) -> Result<Arc<Self>, Error> {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = Identity::of(path)?;
        if let Some(known) = all.iter().find(|known| known.identity == identity) {
            return Ok(Arc::clone(known));
        }
        let failed = |error: Errno| Error::io(path, error.into());
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(path, flags, Mode::empty()) {
            Err(Errno::LOOP) => return Err(Error::bad_log(path, SYMBOLIC_LINK)),
            opened => opened.map_err(failed)?,
        };
        let stat = rustix::fs::fstat(&file).map_err(failed)?;
        let identity = Identity { device: stat.st_dev, inode: stat.st_ino };
        Ok(Self::keep(&mut all, path, identity, file))
    }

    /// Keeps an opened file among all. One that was put in place since the look may be known by now: then this
    /// second descriptor of it stays open for good, since closing it gives up the locks of whoever reads it.
    fn keep(all: &mut Vec<Arc<Self>>, path: &Path, identity: Identity, file: OwnedFd) -> Arc<Self> {
        if let Some(known) = all.iter().find(|known| known.identity == identity) {
            std::mem::forget(file);
            return Arc::clone(known);
        }
        all.retain(|known| {
            Arc::strong_count(known) > 1 || Identity::of(&known.path).ok() == Some(known.identity)
        });
        let made = Arc::new(Self { path: path.to_owned(), identity, file, readers: AtomicU32::new(0) });
        all.push(Arc::clone(&made));
        made
    }

    /// The file's metadata and its first bytes, as they are now; zeros where it is shorter.
    pub(super) fn look<const BYTES: usize>(&self) -> Result<(Stat, [u8; BYTES]), Error> {
        let failed = |error: Errno| Error::io(&self.path, error.into());
        let stat = rustix::fs::fstat(&self.file).map_err(failed)?;
        let mut first = [0; BYTES];
        rustix::io::pread(&self.file, &mut first, 0).map_err(failed)?;
        Ok((stat, first))
    }

    /// Lets a reader in. `Busy` where others read and a writer of another process waits for them to end.
    pub(super) fn enter(self: &Arc<Self>) -> Result<ReadPermit, Error> {
        let others = self.readers.fetch_add(1, AcqRel);
        let permit = ReadPermit { reader_gate: Arc::clone(self), since: Instant::now() };
        // The first one meets the writer's lock in SQLite itself.
        if others > 0 && self.writer_waits() { Err(Error::Busy) } else { Ok(permit) }
    }

    fn writer_waits(&self) -> bool {
        let reading = Flock {
            start: PENDING_BYTE,
            length: 1,
            pid: None,
            typ: FlockType::ReadLock,
            offset_type: FlockOffsetType::Set,
        };
        // Where locks cannot be asked about, SQLite decides alone.
        matches!(fcntl_getlk(&self.file, &reading), Ok(Some(_)))
    }
}

impl ReadPermit {
    /// How long the stay has lasted.
    pub(super) fn lasted(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Drop for ReadPermit {
    fn drop(&mut self) {
        self.reader_gate.readers.fetch_sub(1, Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Acquire;

    use super::*;

    #[test]
    fn a_file_has_one_gate_and_is_let_go_of_once_it_is_gone_and_unread() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        std::fs::write(&one, "").unwrap();
        std::fs::write(&other, "").unwrap();
        let first = ReaderGate::of(&one).unwrap();
        assert!(Arc::ptr_eq(&first, &ReaderGate::of(&one).unwrap()));
        let identity = first.identity;
        let known = || ALL.lock().unwrap().iter().any(|known| known.identity == identity);
        drop(first);
        ReaderGate::of(&other).unwrap();
        assert!(known(), "another connection may have locks on it");
        std::fs::remove_file(&one).unwrap();
        std::fs::write(folder.path().join("third"), "").unwrap();
        ReaderGate::of(&folder.path().join("third")).unwrap();
        assert!(!known());
    }

    #[test]
    fn a_second_descriptor_of_a_known_file_is_never_closed() {
        use std::os::fd::AsRawFd;
        let file = tempfile::NamedTempFile::new().unwrap();
        let first = ReaderGate::of(file.path()).unwrap();
        let second = OwnedFd::from(std::fs::File::open(file.path()).unwrap());
        let shown = format!("/proc/self/fd/{}", second.as_raw_fd());
        let kept = ReaderGate::keep(&mut ALL.lock().unwrap(), file.path(), first.identity, second);
        assert!(Arc::ptr_eq(&first, &kept));
        assert_eq!(std::fs::read_link(shown).unwrap(), file.path().canonicalize().unwrap());
    }

    #[test]
    fn readers_are_counted_in_and_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let reader_gate = ReaderGate::of(file.path()).unwrap();
        let permits = [reader_gate.enter().unwrap(), reader_gate.enter().unwrap()];
        assert_eq!(reader_gate.readers.load(Acquire), 2);
        drop(permits);
        assert_eq!(reader_gate.readers.load(Acquire), 0);
    }
}

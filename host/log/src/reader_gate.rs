//! Where the readers of this process let the log's writer in.
//!
//! While a writer waits for its commit, SQLite shuts new readers out; but a process has its lock as a whole,
//! and SQLite lets one of its readers in without a look at the writer as long as another one reads. Readers
//! that overlap without end would keep the writer waiting until it gives up: so each asks here first.
//!
//! In WAL mode a commit waits for nobody, but a checkpoint passes no reader, and nothing shows that one waits: there
//! readers that overlap leave a gap now and then.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::AcqRel, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};

use crate::Identity;
use crate::error::Error;
use crate::file_state::FileState;
use crate::files::SYMBOLIC_LINK;
use crate::hold::Hold;

/// The byte that a writer locks while it waits for readers: SQLite's file format says so.
const PENDING_BYTE: u64 = 0x4000_0000;

/// How long readers of a log in WAL mode may overlap.
const STRETCH: Duration = Duration::from_millis(50);

/// How long nobody reads after that. A writer that is done with a commit tries its checkpoint at once, and again with
/// the next commit: one in twenty-five that fall into a gap keep the `-wal` short.
const GAP: Duration = Duration::from_millis(2);

/// One file's.
#[derive(Debug)]
pub(super) struct ReaderGate {
    path: PathBuf,
    identity: Identity,
    file: OwnedFd,
    readers: AtomicU32,
    /// Whether it was in WAL mode when last opened.
    wal: AtomicBool,
    /// What only WAL mode asks about.
    overlap: Mutex<Overlap>,
    /// The one hold on it, while anybody has it.
    hold: Mutex<Weak<Hold>>,
}

/// How long the readers of a log in WAL mode overlap.
#[derive(Debug, Default)]
struct Overlap {
    /// Since when there was no moment without one.
    since: Option<Instant>,
    /// Until when none may enter.
    shut_until: Option<Instant>,
}

impl Overlap {
    /// Whether a reader may enter beside so many others.
    fn admits(&mut self, others: u32, now: Instant) -> bool {
        if self.shut_until.is_some_and(|until| now < until) {
            return false;
        }
        let since = *self.since.get_or_insert(now);
        others == 0 || now.saturating_duration_since(since) <= STRETCH
    }

    /// The last one has left.
    fn ended(&mut self, now: Instant) {
        if self.since.take().is_some_and(|since| now.saturating_duration_since(since) > STRETCH) {
            self.shut_until = Some(now + GAP);
        }
    }
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
        let made = Arc::new(Self {
            path: path.to_owned(),
            identity,
            file,
            readers: AtomicU32::new(0),
            wal: AtomicBool::new(false),
            overlap: Mutex::default(),
            hold: Mutex::default(),
        });
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
        let waits = if self.wal.load(Relaxed) {
            !self.overlap().admits(others, permit.since)
        } else {
            others > 0 && self.writer_waits()
        };
        if waits { Err(Error::Busy) } else { Ok(permit) }
    }

    /// The database's state, of which the next write makes another one.
    pub(super) fn file_state(&self) -> Result<FileState, Error> {
        let stat = rustix::fs::fstat(&self.file).map_err(|error| Error::io(&self.path, error.into()))?;
        Ok(FileState::of(&stat))
    }

    /// The file, for looks that need no lock. It must not be opened a second time: see `ALL`.
    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The hold on the file, which lies at this path: that of another connection, or a new one.
    pub(super) fn hold(&self, path: &Path) -> rusqlite::Result<Arc<Hold>> {
        let mut held = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hold) = held.upgrade() {
            return Ok(hold);
        }
        let hold = Arc::new(Hold::take(path)?);
        *held = Arc::downgrade(&hold);
        Ok(hold)
    }

    /// Notes whether the log is in WAL mode.
    pub(super) fn note_wal(&self, wal: bool) {
        self.wal.store(wal, Relaxed);
    }

    fn overlap(&self) -> MutexGuard<'_, Overlap> {
        self.overlap.lock().unwrap_or_else(PoisonError::into_inner)
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
        let before = self.reader_gate.readers.fetch_sub(1, AcqRel);
        if before == 1 && self.reader_gate.wal.load(Relaxed) {
            self.reader_gate.overlap().ended(Instant::now());
        }
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

    #[test]
    fn readers_of_a_log_in_wal_mode_that_overlap_without_end_leave_a_gap_for_its_checkpoints() {
        let (mut overlap, began) = (Overlap::default(), Instant::now());
        assert!(overlap.admits(0, began) && overlap.admits(1, began + STRETCH));
        let late = began + STRETCH + Duration::from_millis(1);
        assert!(!overlap.admits(1, late), "they have overlapped for long enough");
        overlap.ended(late);
        assert!(!overlap.admits(0, late), "nobody reads now");
        assert!(overlap.admits(0, late + GAP) && overlap.admits(1, late + GAP));
        overlap.ended(late + GAP + STRETCH);
        assert!(overlap.admits(0, late + GAP + STRETCH), "they did not overlap for long");
    }
}

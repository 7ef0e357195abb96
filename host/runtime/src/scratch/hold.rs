//! Who uses a scratch: whoever has it open holds a shared lock, and whoever removes it an exclusive one. The
//! kernel releases both with the process, however that ends.

use std::fs::{self, DirBuilder, File};
use std::io::{Error as IoError, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use keyhole_log::error::Error;

/// The file that is locked. Never a database: a process that closes a descriptor of one loses SQLite's
/// locks on it.
const IN_USE: &str = "in-use";

/// Between two attempts at a lock.
const PAUSE: Duration = Duration::from_millis(5);

/// Attempts at a claim: whoever only looks whether a scratch is in use has it locked for a moment.
const ATTEMPTS: u32 = 3;

/// A scratch in use. Nobody removes it before this is dropped.
pub(super) struct Hold {
    file: File,
}

impl Hold {
    /// Takes hold of a scratch's folder, made where it is absent.
    pub(super) fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(IN_USE);
        loop {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|source| Error::io(folder, source))?;
            match open(&path, true) {
                Ok(file) => {
                    wait(&file, &path, FlockOperation::NonBlockingLockShared)?;
                    if is_at(&file, &path) {
                        return Ok(Self { file });
                    }
                }
                // Whoever removes the folder is just done.
                Err(error) if error.kind() == ErrorKind::NotFound => keyhole_log::interrupt::check()?,
                Err(error) => return Err(Error::io(&path, error)),
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Whether it still is a hold on what lies in the folder: the cache may be deleted at any time.
    pub(super) fn is_of(&self, folder: &Path) -> bool {
        is_at(&self.file, &folder.join(IN_USE))
    }
}

/// A scratch that nobody uses, and that nobody can begin to use before this is dropped.
pub(super) struct Claim {
    folder: PathBuf,
    _file: File,
}

impl Claim {
    /// Claims a scratch's folder. None where somebody uses it, or it is gone.
    pub(super) fn take(folder: &Path) -> Option<Self> {
        let path = folder.join(IN_USE);
        let file = open(&path, true).ok()?;
        for attempt in 0..ATTEMPTS {
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                return is_at(&file, &path).then(|| Self { folder: folder.to_owned(), _file: file });
            }
            if attempt + 1 < ATTEMPTS {
                std::thread::sleep(PAUSE);
            }
        }
        None
    }

    /// Removes the folder. The lock's file goes last: whoever waits for it, or makes it anew, finds the
    /// folder empty, and nothing of theirs is taken.
    pub(super) fn remove(self) -> Result<(), Error> {
        let failed = |source| Error::io(&self.folder, source);
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name() != IN_USE {
                unless_gone(fs::remove_file(entry.path()))
                    .map_err(|source| Error::io(entry.path(), source))?;
            }
        }
        unless_gone(fs::remove_file(self.folder.join(IN_USE))).map_err(failed)?;
        // It stays where somebody has begun to use it anew.
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }
}

/// Waits until nobody else fills, refreshes or compares the scratch in a folder, across processes. The kernel releases
/// the lock with the process.
pub(super) fn refresher(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| Error::io(&path, source))?;
    wait(&file, &path, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Whether somebody uses the scratch in a folder.
pub(super) fn is_used(folder: &Path) -> bool {
    let Ok(file) = open(&folder.join(IN_USE), false) else { return false };
    matches!(flock(&file, FlockOperation::NonBlockingLockExclusive), Err(Errno::WOULDBLOCK))
}

/// Waits for a lock on an open file.
pub(super) fn wait(file: &File, path: &Path, operation: FlockOperation) -> Result<(), Error> {
    loop {
        match flock(file, operation) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {
                keyhole_log::interrupt::check()?;
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(Error::io(path, error.into())),
        }
    }
}

fn open(path: &Path, make: bool) -> Result<File, IoError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    File::options().create(make).truncate(false).write(true).mode(0o600).custom_flags(flags).open(path)
}

fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => identity(open) == identity(there),
        _ => false,
    }
}

fn unless_gone(outcome: Result<(), IoError>) -> Result<(), IoError> {
    outcome.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

//! What of a file changes with every write to it, to within a tick of the system's clock.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;

/// Two writes within one tick of the system's clock leave the same times behind them. The longest tick of Linux is
/// 10 ms; here twice as much.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// Which file it is, how large, and when it was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileState {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl FileState {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Whether both are of one file, whatever was written to it.
    pub(crate) fn is_file_of(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// How long ago the last change was; None for one that lies ahead of the system's clock.
    pub(crate) fn age(&self) -> Option<Duration> {
        let (seconds, nanoseconds) = self.changed;
        let since_epoch = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        SystemTime::now().duration_since(UNIX_EPOCH.checked_add(since_epoch)?).ok()
    }
}

impl fmt::Display for FileState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, inode, size, modified, changed } = self;
        write!(out, "{device}:{inode} {size} {}.{:09} {}.{:09}", modified.0, modified.1, changed.0, changed.1)
    }
}

//! Whether a running refresh has outgrown its quota or the total, looked at as often as it writes.

use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::scratch::disk;
use crate::scratch::room::Room;
use keyhole_log::error::Bound;

/// Bytes that a refresh may write between two measurements, where its quota does not ask for fewer. A
/// measurement takes about as long as writing 100 KiB.
const MOST_UNMEASURED: u64 = 4 << 20;

/// A measurement is due after this part of the quota, so that a small one is not outgrown by far.
const PART_UNMEASURED: u64 = 16;

/// Time between two measurements where the kernel does not count what a thread writes.
const UNCOUNTED: Duration = Duration::from_millis(5);

/// Measures one refresh, on the thread that runs it.
pub(super) struct Meter {
    database: PathBuf,
    quota: u64,
    room: Arc<Room>,
    thread: ThreadId,
    /// What the database had when the refresh began, and what the thread had written by then.
    before: u64,
    written_before: Option<u64>,
    last: Mutex<Last>,
}

/// The last measurement.
struct Last {
    written: u64,
    at: Instant,
    outgrown: Option<Bound>,
}

impl Meter {
    /// Starts with what is there. The thread that calls this is the one that will write.
    pub(super) fn start(database: &Path, quota: u64, room: Arc<Room>) -> Self {
        let written = written();
        Self {
            database: database.to_owned(),
            quota,
            room,
            thread: thread::current().id(),
            before: disk::named(database),
            written_before: written,
            last: Mutex::new(Last { written: written.unwrap_or(0), at: Instant::now(), outgrown: None }),
        }
    }

    /// The bound that there is more than, if there is. Cheap while little was written since the last measurement.
    pub(super) fn outgrown(&self) -> Option<Bound> {
        let written = self.written();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = match written {
            Some(written) => {
                written.saturating_sub(last.written) >= MOST_UNMEASURED.min(self.quota / PART_UNMEASURED)
            }
            None => last.at.elapsed() >= UNCOUNTED,
        };
        if due || last.outgrown.is_some() {
            let used = self.used(written);
            let outgrown =
                if used > self.quota { Some(Bound::Quota(self.quota)) } else { self.room.make(used) };
            *last = Last { written: written.unwrap_or(0), at: Instant::now(), outgrown };
        }
        last.outgrown
    }

    /// Bytes of the database and of temporary files. Those are the whole process's; what this thread has
    /// written bounds its own, so that no refresh is charged for another's.
    fn used(&self, written: Option<u64>) -> u64 {
        let used = disk::used(&self.database);
        match (written, self.written_before) {
            (Some(written), Some(before)) => {
                used.min(self.before.saturating_add(written.saturating_sub(before)))
            }
            _ => used,
        }
    }

    /// What the thread has written; None where it is another thread than at the start, or nobody counts.
    fn written(&self) -> Option<u64> {
        self.written_before.filter(|_| thread::current().id() == self.thread).and_then(|_| written())
    }
}

thread_local! {
    /// The kernel's account of this thread's input and output, kept open: it is read often.
    static ACCOUNT: OnceCell<Option<File>> = const { OnceCell::new() };
}

/// Bytes that this thread has written to files so far.
fn written() -> Option<u64> {
    ACCOUNT.with(|account| {
        let file = account.get_or_init(|| File::open("/proc/thread-self/io").ok()).as_ref()?;
        let mut text = [0; 256];
        let length = file.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        text.lines().find_map(|line| line.strip_prefix("wchar: "))?.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: u64 = 1 << 20;

    /// A file without a name, as SQLite has them.
    fn nameless(folder: &Path) -> File {
        let flags = rustix::fs::OFlags::TMPFILE | rustix::fs::OFlags::RDWR;
        File::from(rustix::fs::open(folder, flags, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap())
    }

    #[test]
    fn files_without_a_name_count_and_only_the_threads_own() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("scratch.db");
        let room = Arc::new(Room::of(&folder.path().join("own"), u64::MAX));
        let meter = Meter::start(&database, QUOTA, room);
        let other = std::thread::scope(|scope| {
            let write = || {
                let file = nameless(folder.path());
                file.write_all_at(&vec![1; 4 << 20], 0).unwrap();
                file
            };
            scope.spawn(write).join().unwrap()
        });
        let own = nameless(folder.path());
        own.write_all_at(&vec![1; 100_000], 0).unwrap();
        assert_eq!(meter.outgrown(), None, "another thread's file is not this one's");
        own.write_all_at(&vec![1; 2 << 20], 0).unwrap();
        assert_eq!(meter.outgrown(), Some(Bound::Quota(QUOTA)));
        drop((own, other));
        assert_eq!(meter.outgrown(), None, "what is gone no longer counts");
    }
}

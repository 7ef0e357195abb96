//! Writing a growing file to disk bit by bit.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use keyhole_log::error::Error;

/// How often a filling scratch is written to disk.
const WRITEBACK: Duration = Duration::from_millis(100);

/// Has a growing file written to disk bit by bit. All at once at the end, the disk would be busy for
/// so long that the log's writer waits for its own sync.
///
/// Closing a file drops this process's SQLite locks on it; nobody else knows of a draft.
pub(super) struct Writeback {
    over: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Writeback {
    pub(super) fn start(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::io(path, source);
        let file = File::open(path).map_err(failed)?;
        let (over, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name("writeback".to_owned()).spawn(move || {
            while ended.recv_timeout(WRITEBACK) == Err(RecvTimeoutError::Timeout) {
                // Only a head start: the sync at the end is the one that counts, and reports errors.
                let _ = file.sync_data();
            }
        });
        Ok(Self { over, thread: Some(thread.map_err(failed)?) })
    }
}

impl Drop for Writeback {
    fn drop(&mut self) {
        // Where the thread has ended, there is nobody to tell.
        let _ = self.over.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

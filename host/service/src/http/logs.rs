//! Logs on standard error. Whoever reads them may stall; the service may not: lines go through a short queue to a
//! thread of its own, and where that is full they are counted and dropped.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;

use keyhole_log::error::Error;

/// Lines that may wait.
const LINES: usize = 8_192;

/// How long the last lines may take.
const PATIENCE: Duration = Duration::from_secs(1);

enum Entry {
    Line(Vec<u8>),
    /// To be answered once every line before it is written.
    Flush(SyncSender<()>),
}

/// The way to the thread that writes.
#[derive(Clone)]
pub(super) struct Logs {
    entries: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl Logs {
    /// Has what is traced from now on written: as JSON or as text, warnings alone if `quiet`.
    pub(super) fn begin(json: bool, quiet: bool) -> Result<Self, Error> {
        let (entries, receiver) = sync_channel(LINES);
        let logs = Self { entries, dropped: Arc::default() };
        let dropped = Arc::clone(&logs.dropped);
        thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || write(&receiver, &dropped))
            .map_err(|source| Error::io("the thread that writes logs", source))?;
        let level = if quiet { LevelFilter::WARN } else { LevelFilter::INFO };
        let writer = logs.clone();
        let builder = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_target(false)
            .with_writer(move || writer.clone());
        // Fails where something else of the process writes logs already: then that does.
        let _ = if json { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
        Ok(logs)
    }

    /// Waits for what was logged to be written, but not for ever.
    pub(super) fn wait_until_written(&self) {
        let (done, written) = sync_channel(1);
        if self.entries.try_send(Entry::Flush(done)).is_ok() {
            let _ = written.recv_timeout(PATIENCE);
        }
    }
}

/// Each write is one whole line: that is how `tracing_subscriber` writes.
impl Write for Logs {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.entries.try_send(Entry::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(entries: &Receiver<Entry>, dropped: &AtomicU64) {
    let mut stderr = io::stderr();
    loop {
        match entries.recv_timeout(PATIENCE) {
            Ok(Entry::Line(line)) => {
                // Where nobody reads it, nobody misses it.
                let _ = stderr.write_all(&line);
            }
            Ok(Entry::Flush(done)) => {
                let _ = done.try_send(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let lost = dropped.swap(0, Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "lines of the log were dropped: whoever reads it does not keep up");
        }
    }
}

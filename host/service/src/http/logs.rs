//! Logs on standard error. Whoever reads them may stall; the service may not: lines go through a short queue to a
//! thread of its own, and where that is full they are counted and dropped.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::error::Error;

/// Lines that may wait.
const LINES: usize = 8_192;

/// How long the last lines may take.
const PATIENCE: Duration = Duration::from_secs(1);

enum Piece {
    Line(Vec<u8>),
    /// Everything before this is to be written, and this then told.
    Flush(Arc<Told>),
}

#[derive(Default)]
struct Told {
    told: Mutex<bool>,
    changed: Condvar,
}

/// The way to the thread that writes.
#[derive(Clone)]
pub(super) struct Logs {
    lines: SyncSender<Piece>,
    dropped: Arc<AtomicU64>,
}

/// One line while it is put together.
pub(super) struct Line {
    logs: Logs,
    text: Vec<u8>,
}

impl Logs {
    /// Has what is traced from now on written: as JSON or as text, warnings alone if `quiet`.
    pub(super) fn begin(json: bool, quiet: bool) -> Result<Self, Error> {
        let (lines, receiver) = sync_channel(LINES);
        let logs = Self { lines, dropped: Arc::default() };
        let dropped = Arc::clone(&logs.dropped);
        let spawned =
            thread::Builder::new().name("logs".to_owned()).spawn(move || write(&receiver, &dropped));
        spawned.map_err(|source| Error::io("the thread that writes logs", source))?;
        let level = if quiet { LevelFilter::WARN } else { LevelFilter::INFO };
        let builder =
            tracing_subscriber::fmt().with_max_level(level).with_target(false).with_writer(logs.clone());
        // Fails where something else of the process writes logs already: then that does.
        let _ = if json { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
        Ok(logs)
    }

    /// Waits for what was logged to be written, but not for ever.
    pub(super) fn flush(&self) {
        let told = Arc::new(Told::default());
        if self.lines.try_send(Piece::Flush(Arc::clone(&told))).is_ok() {
            let guard = told.told.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = told.changed.wait_timeout_while(guard, PATIENCE, |told| !*told);
        }
    }
}

fn write(lines: &Receiver<Piece>, dropped: &AtomicU64) {
    let mut stderr = io::stderr();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(Piece::Line(line)) => {
                // Where nobody reads it, nobody misses it.
                let _ = stderr.write_all(&line);
            }
            Ok(Piece::Flush(told)) => {
                *told.told.lock().unwrap_or_else(PoisonError::into_inner) = true;
                told.changed.notify_all();
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

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { logs: self.clone(), text: Vec::with_capacity(256) }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.text);
        if !line.is_empty() && self.logs.lines.try_send(Piece::Line(line)).is_err() {
            self.logs.dropped.fetch_add(1, Relaxed);
        }
    }
}

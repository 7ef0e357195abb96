//! Pages that the host asks for itself, for proofs and comparisons: cancelled when nobody wants the result any
//! more, and not held against a strategy where it was the machine that took the time.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use keyhole_log::budget::Canceller;
use keyhole_log::error::Error;
use keyhole_log::model::{Page, PageRequest, Pager};
use keyhole_runtime::page::Worker;

/// Cancels work for good, the pages that are under way included.
#[derive(Default)]
pub(super) struct CancellationToken {
    cancelled: AtomicBool,
    /// The pages that run under this token: one a thread.
    running: Mutex<Vec<(ThreadId, Canceller)>>,
}

impl CancellationToken {
    pub(super) fn cancel(&self) {
        // The mark comes first: a page that begins in between sees it.
        self.cancelled.store(true, SeqCst);
        self.running.lock().iter().for_each(|(_, canceller)| canceller.cancel());
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(SeqCst)
    }

    /// Has `worker` answer a page that ends with `Cancelled` as soon as this token is cancelled.
    pub(super) fn page(&self, worker: &mut Worker, request: &PageRequest) -> Result<Page, Error> {
        let thread = thread::current().id();
        self.running.lock().push((thread, worker.canceller()));
        let page = worker.page_if(request, || !self.is_cancelled());
        self.running.lock().retain(|(running, _)| *running != thread);
        page
    }
}

/// How often a page that may take its time is asked for again: each time the machine was too busy for idle
/// priority, or the log's writer held its lock.
const UNDECIDED: u32 = 200;

/// Asks a worker for pages on idle priority.
pub(super) struct BackgroundPager<'a> {
    pub(super) worker: &'a mut Worker,
    /// Pages fail with `Interrupted` once it is cancelled.
    pub(super) cancel: &'a CancellationToken,
    /// Pages are asked for again until this moment where the machine was too busy, and fail with `Cancelled`
    /// after it.
    pub(super) until: Option<Instant>,
}

impl Pager for BackgroundPager<'_> {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        for _ in 0..self.until.map_or(0, |_| UNDECIDED) {
            match self.attempt(request) {
                Err(Error::Busy) => thread::sleep(Duration::from_millis(5)),
                page => return page,
            }
        }
        self.attempt(request)
    }
}

impl BackgroundPager<'_> {
    fn attempt(&mut self, request: &PageRequest) -> Result<Page, Error> {
        if self.cancel.is_cancelled() {
            return Err(Error::Interrupted);
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(Error::Cancelled);
        }
        match self.cancel.page(self.worker, request) {
            Err(Error::Cancelled) => Err(Error::Interrupted),
            Err(Error::Starved { .. }) => Err(Error::Busy),
            page => page,
        }
    }
}

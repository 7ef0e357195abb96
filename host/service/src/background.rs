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

/// Limits that a thread which gets no time reaches without the strategy's doing.
const TIME_LIMITS: [&str; 3] = ["guest_time", "wall_time", "log_lock"];

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
        let before = on_processor();
        match self.cancel.page(self.worker, request) {
            Err(Error::Cancelled) => Err(Error::Interrupted),
            Err(Error::Budget { limit, allowed }) if TIME_LIMITS.contains(&limit) => {
                let used = on_processor().zip(before).map(|(now, then)| now.saturating_sub(then));
                let starved = used.is_some_and(|used| used < Duration::from_millis(allowed) / 2);
                Err(if starved { Error::Busy } else { Error::Budget { limit, allowed } })
            }
            page => page,
        }
    }
}

/// How long the calling thread has been on a processor; None where the system does not say.
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_is_not_on_a_processor() {
        let before = on_processor().unwrap();
        thread::sleep(Duration::from_millis(30));
        assert!(on_processor().unwrap() < before + Duration::from_millis(20));
        let began = Instant::now();
        let start = on_processor().unwrap();
        while on_processor().unwrap() < start + Duration::from_millis(5) {
            assert!(began.elapsed() < Duration::from_secs(30), "a thread that spins is on a processor");
        }
    }
}

//! Pages on idle priority: asked for by the host alone, stopped when nobody wants to know any more, and never
//! held against a strategy where it was the machine that took the time.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::log::budget::Canceller;
use crate::page::{Page, PageRequest, Pager};
use crate::strategy::Worker;

/// Limits that a thread which gets no time reaches without the strategy's doing.
const OF_TIME: [&str; 3] = ["guest_time", "wall_time", "log_lock"];

/// Ends work that nobody wants to know any more, a page in its middle too.
#[derive(Default)]
pub(super) struct Stop {
    stopped: AtomicBool,
    /// Of the pages that are under way, by place.
    running: Mutex<Vec<Option<Canceller>>>,
}

impl Stop {
    /// Ends it, for good.
    pub(super) fn stop(&self) {
        // First the mark: a page that begins in between sees it.
        self.stopped.store(true, SeqCst);
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().flatten().for_each(Canceller::cancel);
    }

    /// Whether it is ended.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    fn enter(&self, canceller: Canceller) -> usize {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = running.iter().position(Option::is_none) {
            running[place] = Some(canceller);
            return place;
        }
        running.push(Some(canceller));
        running.len() - 1
    }

    fn leave(&self, place: usize) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running[place] = None;
    }
}

/// A worker on idle priority.
pub(super) struct Leash<'a> {
    pub(super) worker: &'a mut Worker,
    /// Fails with `Interrupted` once it is set.
    pub(super) stop: &'a Stop,
    /// Fails with `Cancelled` after it, which ends a search for smaller requests.
    pub(super) until: Option<Instant>,
}

impl Pager for Leash<'_> {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        if self.stop.is_stopped() {
            return Err(Error::Interrupted);
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(Error::Cancelled);
        }
        let before = on_processor();
        let place = self.stop.enter(self.worker.canceller());
        let page = self.worker.page_if(request, || !self.stop.is_stopped());
        self.stop.leave(place);
        match &page {
            Err(Error::Cancelled) => Err(Error::Interrupted),
            Err(Error::Budget { limit, allowed }) if OF_TIME.contains(limit) => {
                let used = on_processor().zip(before).map(|(now, then)| now.saturating_sub(then));
                let starved = used.is_some_and(|used| used < Duration::from_millis(*allowed) / 2);
                if starved { Err(Error::Busy) } else { page }
            }
            _ => page,
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
        std::thread::sleep(Duration::from_millis(30));
        assert!(on_processor().unwrap() < before + Duration::from_millis(20));
        let began = Instant::now();
        let start = on_processor().unwrap();
        while on_processor().unwrap() < start + Duration::from_millis(5) {
            assert!(began.elapsed() < Duration::from_secs(30), "a thread that spins is on a processor");
        }
    }
}

//! The circuit breaker of a deployment: it opens at as many failures within a window of time as the policy names.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::status::BreakerState;
use keyhole_log::error::Error;

/// Counts the failures that a strategy is to blame for.
pub(super) struct Breaker(Mutex<Window>);

struct Window {
    allowed: usize,
    within: Duration,
    failures: VecDeque<Instant>,
    last: Option<String>,
    trips: u64,
    open: bool,
}

impl Breaker {
    /// A breaker that opens at the `failures`th failure within that time.
    pub(super) fn new(failures: u64, within: Duration) -> Self {
        let (allowed, failures) = (most(failures), VecDeque::new());
        Self(Mutex::new(Window { allowed, within, failures, last: None, trips: 0, open: false }))
    }

    /// Sets another number and window from now on.
    pub(super) fn adjust(&self, failures: u64, within: Duration) {
        let mut window = self.0.lock();
        (window.allowed, window.within) = (most(failures), within);
    }

    /// Notes a failed page. True where this failure opens the breaker.
    pub(super) fn failed(&self, error: &Error) -> bool {
        error.blames_strategy() && self.count(Instant::now(), error.observed(), false)
    }

    /// Notes a page that was served and then found to be wrong, which opens the breaker at once.
    pub(super) fn lied(&self, kind: String) {
        self.count(Instant::now(), kind, true);
    }

    /// Closes the breaker and forgets the failures that were counted.
    pub(super) fn close(&self) {
        let mut window = self.0.lock();
        window.failures.clear();
        window.open = false;
    }

    /// How long failures count.
    pub(super) fn window(&self) -> Duration {
        self.0.lock().within
    }

    pub(super) fn state(&self) -> BreakerState {
        let mut window = self.0.lock();
        window.forget(Instant::now());
        BreakerState {
            failures: window.failures.len() as u64,
            allowed: window.allowed as u64,
            within_ms: u64::try_from(window.within.as_millis()).unwrap_or(u64::MAX),
            trips: window.trips,
            last: window.last.clone(),
        }
    }

    fn count(&self, now: Instant, what: String, at_once: bool) -> bool {
        let mut window = self.0.lock();
        window.forget(now);
        window.failures.push_back(now);
        window.last = Some(what);
        let opens = !window.open && (at_once || window.failures.len() >= window.allowed);
        if opens {
            window.open = true;
            window.trips += 1;
        }
        // No more of them are needed to open it.
        while window.failures.len() > window.allowed {
            window.failures.pop_front();
        }
        opens
    }
}

impl Window {
    fn forget(&mut self, now: Instant) {
        while self.failures.front().is_some_and(|then| now.duration_since(*then) >= self.within) {
            self.failures.pop_front();
        }
    }
}

fn most(failures: u64) -> usize {
    usize::try_from(failures).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn counts(breaker: &Breaker, at: Instant) -> bool {
        breaker.count(at, "trapped".to_owned(), false)
    }

    #[test]
    fn it_opens_at_the_number_within_the_window_and_not_by_older_failures() {
        let (breaker, start) = (Breaker::new(3, 10 * SECOND), Instant::now());
        assert!(!counts(&breaker, start));
        assert!(!counts(&breaker, start + SECOND));
        assert!(!counts(&breaker, start + 10 * SECOND), "the first is forgotten");
        assert!(counts(&breaker, start + 10 * SECOND + SECOND / 2));
        assert!(!counts(&breaker, start + 10 * SECOND + SECOND / 2), "it opens once");
        assert_eq!(breaker.state().trips, 1);
        breaker.close();
        assert!(!counts(&breaker, start + 11 * SECOND));
    }

    #[test]
    fn only_what_a_strategy_is_to_blame_for_counts_and_one_served_lie_is_enough() {
        let breaker = Breaker::new(1, 10 * SECOND);
        for error in [Error::Busy, Error::Cancelled, Error::Crowded { at_once: 1 }, Error::Interrupted] {
            assert!(!breaker.failed(&error), "{error}");
        }
        assert!(breaker.failed(&Error::GaveUp { what: "?".to_owned() }));
        let patient = Breaker::new(100, SECOND);
        patient.lied("lie:early-end".to_owned());
        assert_eq!(patient.state().trips, 1);
    }
}

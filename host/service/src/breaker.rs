//! Failures of one strategy in a window of time: as many as the policy names, and it is taken out.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::service::status::BreakerState;

/// Counts the failures that a strategy is to blame for.
pub(super) struct Breaker {
    line: Mutex<Line>,
}

struct Line {
    allowed: usize,
    within: Duration,
    failures: VecDeque<Instant>,
    last: Option<String>,
    trips: u64,
    open: bool,
}

impl Breaker {
    /// One that opens at the `failures`th failure within that time.
    pub(super) fn new(failures: u64, within: Duration) -> Self {
        let allowed = usize::try_from(failures).unwrap_or(usize::MAX).max(1);
        let line = Line { allowed, within, failures: VecDeque::new(), last: None, trips: 0, open: false };
        Self { line: Mutex::new(line) }
    }

    /// Another number and window from now on.
    pub(super) fn adjust(&self, failures: u64, within: Duration) {
        let mut line = self.line();
        line.allowed = usize::try_from(failures).unwrap_or(usize::MAX).max(1);
        line.within = within;
    }

    /// Notes a failed page. True where this one opens the breaker.
    pub(super) fn failed(&self, error: &Error) -> bool {
        error.blames_strategy() && self.count(Instant::now(), error.observed(), false)
    }

    /// Notes a page that was served and then found to be wrong: one is enough.
    pub(super) fn lied(&self, what: String) -> bool {
        self.count(Instant::now(), what, true)
    }

    /// Forgets what was counted.
    pub(super) fn close(&self) {
        let mut line = self.line();
        line.failures.clear();
        line.open = false;
    }

    /// What it counts now.
    pub(super) fn state(&self) -> BreakerState {
        let mut line = self.line();
        line.forget(Instant::now());
        BreakerState {
            failures: line.failures.len() as u64,
            allowed: line.allowed as u64,
            within_ms: u64::try_from(line.within.as_millis()).unwrap_or(u64::MAX),
            trips: line.trips,
            last: line.last.clone(),
        }
    }

    fn count(&self, now: Instant, what: String, at_once: bool) -> bool {
        let mut line = self.line();
        line.forget(now);
        line.failures.push_back(now);
        line.last = Some(what);
        let opens = !line.open && (at_once || line.failures.len() >= line.allowed);
        if opens {
            line.open = true;
            line.trips += 1;
        }
        // No more of them are needed to open it.
        while line.failures.len() > line.allowed {
            line.failures.pop_front();
        }
        opens
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn forget(&mut self, now: Instant) {
        while self.failures.front().is_some_and(|then| now.duration_since(*then) >= self.within) {
            self.failures.pop_front();
        }
    }
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
        assert!(Breaker::new(100, SECOND).lied("lie:early-end".to_owned()));
    }
}

//! The clock of a measurement, so that tests can bring their own.

use std::time::{Duration, Instant};

/// A clock that never goes back.
pub(super) trait Clock: Sync {
    /// Time since some fixed moment.
    fn now(&self) -> Duration;
    /// Returns at that moment, or at once where it has passed.
    fn wait_until(&self, moment: Duration);
}

/// Waking up takes some 60 µs, a page 20: the last stretch is waited for without sleeping.
const AWAKE: Duration = Duration::from_micros(200);

/// The machine's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock that starts at zero.
    pub(super) fn start() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn wait_until(&self, moment: Duration) {
        loop {
            let left = moment.saturating_sub(self.now());
            if left.is_zero() {
                return;
            }
            match left.checked_sub(AWAKE) {
                Some(asleep) if !asleep.is_zero() => std::thread::sleep(asleep),
                _ => std::thread::yield_now(),
            }
        }
    }
}

//! When requests enter: as earlier ones are answered, or by the clock.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::clock::Clock;
use super::load::Load;
use super::queue::{Queue, Ticket};
use super::tally::nanos;

/// How long a worker waits for a request that is not due before it looks whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// Where a slice's requests come from.
pub(super) enum Arrivals {
    /// A closed loop: an answer lets the next request in.
    Closed(Queue),
    /// An open loop: the clock does.
    Open(Schedule),
}

/// Requests that are due at fixed distances, whether or not anyone is there to take them.
///
/// A request's entry is the moment at which it was due, not the moment at which a worker came to take it:
/// whoever waits behind a stall is seen to wait (no coordinated omission).
pub(super) struct Schedule {
    total: usize,
    /// Nanoseconds between two requests.
    distance: f64,
    /// When the first is due, in nanoseconds of the clock.
    opened: AtomicU64,
    next: AtomicUsize,
}

impl Arrivals {
    pub(super) fn new(total: usize, load: Load) -> Self {
        match load.rate {
            None => Self::Closed(Queue::new(total, load.concurrency)),
            Some(rate) => Self::Open(Schedule {
                total,
                distance: 1e9 / rate,
                opened: AtomicU64::new(0),
                next: AtomicUsize::new(0),
            }),
        }
    }

    /// The slice begins.
    pub(super) fn open(&self, now: Duration) {
        match self {
            Self::Closed(queue) => queue.open(now),
            Self::Open(schedule) => schedule.opened.store(nanos(now), Ordering::Release),
        }
    }

    /// A worker's first request.
    pub(super) fn take(&self, clock: &dyn Clock, stop: &AtomicBool) -> Option<Ticket> {
        match self {
            Self::Closed(queue) => queue.take(),
            Self::Open(schedule) => schedule.take(clock, stop),
        }
    }

    /// A worker's next request, after one that it answered.
    pub(super) fn answered(&self, clock: &dyn Clock, now: Duration, stop: &AtomicBool) -> Option<Ticket> {
        match self {
            Self::Closed(queue) => queue.answered(now),
            Self::Open(schedule) => schedule.take(clock, stop),
        }
    }

    /// How many requests have been taken.
    pub(super) fn taken(&self) -> usize {
        match self {
            Self::Closed(queue) => queue.taken(),
            Self::Open(schedule) => schedule.next.load(Ordering::Relaxed).min(schedule.total),
        }
    }
}

impl Schedule {
    fn take(&self, clock: &dyn Clock, stop: &AtomicBool) -> Option<Ticket> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        if index >= self.total {
            return None;
        }
        let entered = self.due(index);
        loop {
            let now = clock.now();
            if now >= entered || stop.load(Ordering::Relaxed) {
                return Some(Ticket { index, entered });
            }
            clock.wait_until(entered.min(now + NAP));
        }
    }

    fn due(&self, index: usize) -> Duration {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a distance is positive, and a run far below 2^53 nanoseconds"
        )]
        let after = (index as f64 * self.distance) as u64;
        Duration::from_nanos(self.opened.load(Ordering::Acquire).saturating_add(after))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fakes::FakeClock;
    use super::*;

    fn open(total: usize, rate: f64) -> Arrivals {
        Arrivals::new(total, Load { concurrency: 1, workers: 1, rate: Some(rate) })
    }

    #[test]
    fn a_request_of_an_open_loop_enters_when_it_is_due_however_late_it_is_taken() {
        let (clock, stop) = (FakeClock::new(), AtomicBool::new(false));
        let arrivals = open(4, 1e6);
        clock.advance(500);
        arrivals.open(clock.now());
        let mut entries = Vec::new();
        let take = || arrivals.take(&clock, &stop).map(|ticket| ticket.entered.as_nanos());
        entries.push((take(), clock.now().as_nanos()));
        clock.advance(2_500); // a stall over two arrivals
        for _ in 0..4 {
            entries.push((take(), clock.now().as_nanos()));
        }
        let expected = [
            (Some(500), 500),
            (Some(1_500), 3_000),
            (Some(2_500), 3_000),
            (Some(3_500), 3_500),
            (None, 3_500),
        ];
        assert_eq!(entries, expected);
        assert_eq!(arrivals.taken(), 4);
    }

    #[test]
    fn a_worker_that_waits_for_a_far_request_can_be_stopped() {
        let (clock, stop) = (FakeClock::new(), AtomicBool::new(true));
        let arrivals = open(2, 0.01);
        arrivals.open(Duration::ZERO);
        assert!(arrivals.take(&clock, &stop).is_some_and(|ticket| ticket.entered.is_zero()));
        assert!(arrivals.take(&clock, &stop).is_some());
        assert!(clock.now() < Duration::from_secs(1), "it did not wait for the 100 seconds");
    }
}

//! When requests enter: as earlier ones are answered (a closed loop), or by the clock (an open loop).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use super::plan::Load;
use keyhole_log::units::whole_nanos;

/// How long a worker waits for a request that is not due before it looks whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// A request's way through the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// Its place in the batch, from 0.
    pub(super) index: usize,
    /// When its client sent it, or meant to.
    pub(super) entered: Duration,
}

/// Where a batch's requests come from.
pub(super) enum Arrivals {
    Closed(Queue),
    Open(Schedule),
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

    /// The batch begins.
    pub(super) fn open(&self, now: Duration) {
        match self {
            Self::Closed(queue) => queue.open(now),
            Self::Open(schedule) => schedule.opened.store(whole_nanos(now), Ordering::Release),
        }
    }

    /// A worker's next request, after one that it answered at that moment, or its first.
    pub(super) fn take(
        &self,
        clock: &dyn Clock,
        answered: Option<Duration>,
        stop: &AtomicBool,
    ) -> Option<Ticket> {
        match self {
            Self::Closed(queue) => queue.take(answered),
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

/// Requests of a closed loop, in flight but not yet taken by a worker, in the order in which they entered.
///
/// A mutex, not atomics: putting one in and taking the next is one short critical section a request
/// (some 20 ns beside a page's 20,000), entry stamp and order can never disagree, and the deque's
/// memory is taken before the clock runs.
pub(super) struct Queue {
    line: Mutex<Line>,
    total: usize,
    concurrency: usize,
}

struct Line {
    waiting: VecDeque<Ticket>,
    sent: usize,
}

impl Queue {
    /// A queue through which `total` requests will go, `concurrency` at a time.
    fn new(total: usize, concurrency: usize) -> Self {
        let waiting = VecDeque::with_capacity(concurrency.min(total) + 1);
        Self { line: Mutex::new(Line { waiting, sent: 0 }), total, concurrency }
    }

    /// Every client sends its first request.
    fn open(&self, now: Duration) {
        let mut line = self.line();
        for _ in 0..self.concurrency {
            line.send(self.total, now);
        }
    }

    /// A client that was answered sends its next request; the worker takes the one that has waited
    /// longest. None once all have been sent and taken.
    fn take(&self, answered: Option<Duration>) -> Option<Ticket> {
        let mut line = self.line();
        if let Some(now) = answered {
            line.send(self.total, now);
        }
        line.waiting.pop_front()
    }

    fn taken(&self) -> usize {
        let line = self.line();
        line.sent - line.waiting.len()
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // No pager runs under the lock, so a panic cannot leave the line half changed.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn send(&mut self, total: usize, entered: Duration) {
        if self.sent < total {
            self.waiting.push_back(Ticket { index: self.sent, entered });
            self.sent += 1;
        }
    }
}

/// Requests of an open loop, due at fixed distances, whether or not anyone is there to take them.
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
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::bench::fakes::FakeClock;

    const AT: fn(u64) -> Duration = Duration::from_nanos;

    fn open(total: usize, rate: f64) -> Arrivals {
        Arrivals::new(total, Load { concurrency: 1, workers: 1, rate: Some(rate) })
    }

    #[test]
    fn as_many_wait_as_there_are_more_requests_in_flight_than_workers() {
        let queue = Queue::new(10, 4);
        queue.open(AT(0));
        assert_eq!(queue.line().waiting.len(), 4);
        assert!(queue.take(None).is_some() && queue.take(None).is_some());
        for now in 1..=6 {
            assert_eq!(queue.line().waiting.len(), 2, "4 in flight on 2 workers");
            assert!(queue.take(Some(AT(now))).is_some());
        }
        for waiting in [1, 0] {
            assert!(queue.take(Some(AT(9))).is_some());
            assert_eq!(queue.line().waiting.len(), waiting, "all sent: the loop runs dry");
        }
        assert_eq!(queue.take(Some(AT(9))), None);
        assert_eq!(queue.taken(), 10);
    }

    #[test]
    fn requests_leave_in_the_order_of_entry_with_their_stamp() {
        let queue = Queue::new(3, 2);
        queue.open(AT(5));
        let taken = [None, Some(7), Some(8), Some(9)].map(|answered| queue.take(answered.map(AT)));
        let ticket = |index, entered| Some(Ticket { index, entered: AT(entered) });
        assert_eq!(taken, [ticket(0, 5), ticket(1, 5), ticket(2, 7), None]);
    }

    #[test]
    fn no_more_requests_enter_than_there_are() {
        let queue = Queue::new(2, 8);
        queue.open(AT(0));
        assert_eq!([(); 3].map(|()| queue.take(None).is_some()), [true, true, false]);
    }

    #[test]
    fn a_request_of_an_open_loop_enters_when_it_is_due_however_late_it_is_taken() {
        let (clock, stop) = (FakeClock::default(), AtomicBool::new(false));
        let arrivals = open(4, 1e6);
        clock.advance(500);
        arrivals.open(clock.now());
        let take = || {
            let ticket = arrivals.take(&clock, None, &stop);
            (ticket.map(|ticket| whole_nanos(ticket.entered)), whole_nanos(clock.now()))
        };
        assert_eq!(take(), (Some(500), 500));
        clock.advance(2_500); // a stall over two arrivals
        let later = [(Some(1_500), 3_000), (Some(2_500), 3_000), (Some(3_500), 3_500), (None, 3_500)];
        assert_eq!([(); 4].map(|()| take()), later);
        assert_eq!(arrivals.taken(), 4);
    }

    #[test]
    fn a_worker_that_waits_for_a_far_request_can_be_stopped() {
        let (clock, stop) = (FakeClock::default(), AtomicBool::new(true));
        let arrivals = open(2, 0.01);
        arrivals.open(Duration::ZERO);
        assert!(arrivals.take(&clock, None, &stop).is_some_and(|ticket| ticket.entered.is_zero()));
        assert!(arrivals.take(&clock, None, &stop).is_some());
        assert!(clock.now() < Duration::from_secs(1), "it did not wait for the 100 seconds");
    }
}

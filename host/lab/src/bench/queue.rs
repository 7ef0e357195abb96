//! The queue of a closed loop: which requests are in flight but not yet taken by a worker.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A request's way through the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// Its place in the slice, from 0.
    pub(super) index: usize,
    /// When its client sent it, or meant to.
    pub(super) entered: Duration,
}

/// Requests in the order in which they entered.
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
    pub(super) fn new(total: usize, concurrency: usize) -> Self {
        let waiting = VecDeque::with_capacity(concurrency.min(total) + 1);
        Self { line: Mutex::new(Line { waiting, sent: 0 }), total, concurrency }
    }

    /// Every client sends its first request.
    pub(super) fn open(&self, now: Duration) {
        let mut line = self.line();
        for _ in 0..self.concurrency {
            line.send(self.total, now);
        }
    }

    /// Takes the request that has waited longest.
    pub(super) fn take(&self) -> Option<Ticket> {
        self.line().waiting.pop_front()
    }

    /// A client was answered and sends its next request; the worker takes the one that has waited
    /// longest. None once all have been sent and taken.
    pub(super) fn answered(&self, now: Duration) -> Option<Ticket> {
        let mut line = self.line();
        line.send(self.total, now);
        line.waiting.pop_front()
    }

    /// How many requests have been taken.
    pub(super) fn taken(&self) -> usize {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const AT: fn(u64) -> Duration = Duration::from_nanos;

    #[test]
    fn as_many_wait_as_there_are_more_requests_in_flight_than_workers() {
        let queue = Queue::new(10, 4);
        queue.open(AT(0));
        assert_eq!(queue.line().waiting.len(), 4);
        let (mut left, mut right) = (queue.take(), queue.take());
        for now in 1..=6 {
            assert_eq!(queue.line().waiting.len(), 2, "4 in flight on 2 workers");
            let worker = if now % 2 == 0 { &mut left } else { &mut right };
            *worker = queue.answered(AT(now));
            assert!(worker.is_some());
        }
        for waiting in [1, 0] {
            assert!(queue.answered(AT(9)).is_some());
            assert_eq!(queue.line().waiting.len(), waiting, "all sent: the loop runs dry");
        }
        assert_eq!(queue.answered(AT(9)), None);
        assert_eq!(queue.taken(), 10);
    }

    #[test]
    fn requests_leave_in_the_order_of_entry_with_their_stamp() {
        let queue = Queue::new(3, 2);
        queue.open(AT(5));
        assert_eq!(queue.take(), Some(Ticket { index: 0, entered: AT(5) }));
        assert_eq!(queue.answered(AT(7)), Some(Ticket { index: 1, entered: AT(5) }));
        assert_eq!(queue.answered(AT(8)), Some(Ticket { index: 2, entered: AT(7) }));
        assert_eq!(queue.answered(AT(9)), None);
    }

    #[test]
    fn no_more_requests_enter_than_there_are() {
        let queue = Queue::new(2, 8);
        queue.open(AT(0));
        assert!(queue.take().is_some() && queue.take().is_some());
        assert_eq!(queue.take(), None);
    }
}

//! The workers: operating-system threads that each run one request to its end, and the short queue before
//! them. Where the queue is full a request is turned away at once: waiting longer would help nobody.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::page::PageRequest;
use crate::service::pending::{Answered, Pending, Ticket};
use crate::service::serving::{Held, Serving};

/// A request on its way to a worker. Whatever becomes of it, its ticket is answered.
pub(super) struct Job {
    pub(super) request: PageRequest,
    pub(super) held: Held,
    pub(super) ticket: Arc<Ticket>,
    pub(super) entered: Instant,
}

/// What a worker is to do next.
pub(super) enum Next {
    /// Answer this.
    Answer(Job),
    /// Let go of strategies that are retired.
    Tidy,
    /// Go home.
    Leave,
}

/// The requests that wait for a worker.
pub(super) struct Queue {
    line: Mutex<Line>,
    arrived: Condvar,
    limit: usize,
    shed: AtomicU64,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Job>,
    /// The requests that workers are at.
    running: Vec<Arc<Ticket>>,
    /// Whether no more requests are let in.
    closed: bool,
    /// Whether workers leave.
    over: bool,
    /// How often workers were told to tidy.
    tidied: u64,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            line: Mutex::default(),
            arrived: Condvar::new(),
            limit: limit.max(1),
            shed: AtomicU64::new(0),
        })
    }

    /// Lets a request in, to be answered by this strategy.
    pub(super) fn enter(
        self: &Arc<Self>,
        request: PageRequest,
        serving: &Arc<Serving>,
    ) -> Result<Pending, Error> {
        let mut line = self.line();
        if line.closed {
            return Err(Error::ShuttingDown);
        }
        if line.waiting.len() >= self.limit {
            self.shed.fetch_add(1, Relaxed);
            return Err(Error::Overloaded { waiting: self.limit });
        }
        let (pending, ticket) = Pending::new(self);
        let (held, entered) = (Held::new(serving), Instant::now());
        line.waiting.push_back(Job { request, held, ticket, entered });
        drop(line);
        self.arrived.notify_one();
        Ok(pending)
    }

    /// The next thing to do for a worker that has tidied `tidied` times. Waits for it.
    pub(super) fn next(&self, tidied: &mut u64) -> Next {
        let mut line = self.line();
        loop {
            if *tidied != line.tidied {
                *tidied = line.tidied;
                return Next::Tidy;
            }
            if let Some(job) = line.waiting.pop_front() {
                line.running.push(Arc::clone(&job.ticket));
                return Next::Answer(job);
            }
            if line.over {
                return Next::Leave;
            }
            line = self.arrived.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A worker is done with a request.
    pub(super) fn done(&self, ticket: &Arc<Ticket>) {
        self.line().running.retain(|running| !Arc::ptr_eq(running, ticket));
    }

    /// Takes out a request that nobody waits for any more, so that it takes nobody's place.
    pub(super) fn remove(&self, ticket: &Arc<Ticket>) {
        let mut line = self.line();
        let place = line.waiting.iter().position(|job| Arc::ptr_eq(&job.ticket, ticket));
        let removed = place.and_then(|place| line.waiting.remove(place));
        drop(line);
        drop(removed);
    }

    /// Has every worker let go of strategies that are retired.
    pub(super) fn tidy(&self) {
        self.line().tidied += 1;
        self.arrived.notify_all();
    }

    /// Lets no more requests in. Returns how many are on their way.
    pub(super) fn close(&self) -> usize {
        let mut line = self.line();
        line.closed = true;
        line.waiting.len() + line.running.len()
    }

    /// Waits until no request is on its way, or for that long. Returns how many still are.
    pub(super) fn settle(&self, patience: Duration) -> usize {
        let deadline = Instant::now() + patience;
        loop {
            let line = self.line();
            let left = line.waiting.len() + line.running.len();
            drop(line);
            if left == 0 || Instant::now() >= deadline {
                return left;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Answers whatever waits with an error, and interrupts whatever runs.
    pub(super) fn cut(&self) {
        let mut line = self.line();
        let waiting = std::mem::take(&mut line.waiting);
        let running = line.running.clone();
        drop(line);
        drop(waiting);
        for ticket in running {
            ticket.cut();
        }
    }

    /// Sends the workers home, once they are done.
    pub(super) fn leave(&self) {
        let mut line = self.line();
        line.closed = true;
        line.over = true;
        drop(line);
        self.arrived.notify_all();
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.line().waiting.len()
    }

    /// How many may.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// How many were turned away.
    pub(super) fn shed(&self) -> u64 {
        self.shed.load(Relaxed)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// Hands the answer over.
    pub(super) fn answer(&self, serving: &Serving, answered: Outcome) {
        self.ticket.answer(Answered {
            page: answered.page,
            strategy: Arc::clone(&serving.name),
            digest: Arc::clone(&serving.digest),
            waited: answered.waited,
            served: answered.served,
            denied: answered.denied,
        });
    }
}

/// What a worker made of a request.
pub(super) struct Outcome {
    pub(super) page: Result<crate::page::Page, Error>,
    pub(super) waited: Duration,
    pub(super) served: Duration,
    pub(super) denied: u64,
}

impl Drop for Job {
    /// Dropped without an answer at the end of the service, or with a worker that panicked.
    fn drop(&mut self) {
        let waited = self.entered.elapsed();
        let page = Err(Error::ShuttingDown);
        let outcome = Outcome { page, waited, served: Duration::ZERO, denied: 0 };
        self.answer(self.held.serving(), outcome);
    }
}

//! The requests that wait for a worker, and whoever waits for their answers. Where the queue is full a request
//! is turned away at once: waiting longer would help nobody. It is no channel, because a request that was let go
//! of leaves from its middle.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::background::CancellationToken;
use crate::deployment::{Deployment, InFlight};
use keyhole_log::error::{Error, Spent};
use keyhole_log::model::{Page, PageRequest};

/// What came of a request.
#[derive(Debug)]
pub struct Answered {
    /// The page, or why there is none.
    pub page: Result<Page, Error>,
    /// The name of the strategy that answered.
    pub strategy: Arc<str>,
    /// SHA-256 of its component, in hex.
    pub digest: Arc<str>,
    /// How long the request waited for a worker.
    pub waited: Duration,
    /// How long it was worked on.
    pub served: Duration,
    /// What the strategy was denied meanwhile.
    pub denied: u64,
    /// What the last try at the page used, where there is none.
    pub spent: Spent,
}

/// A request that was let in. Dropped before it is answered, the request is cancelled: its statement is
/// interrupted, and its connection is free for another.
pub struct Pending {
    /// None once the answer was taken.
    answer: Option<oneshot::Receiver<Answered>>,
    cancel: Arc<CancellationToken>,
    queue: Weak<Queue>,
    strategy: (Arc<str>, Arc<str>),
    entered: Instant,
}

impl Pending {
    /// Waits for the answer, on the calling thread.
    pub fn wait(mut self) -> Answered {
        let answer = self.answer.take().and_then(|answer| answer.blocking_recv().ok());
        answer.unwrap_or_else(|| self.unanswered())
    }

    /// The answer to a request that was dropped: at the end of the service.
    fn unanswered(&self) -> Answered {
        let (strategy, digest) = self.strategy.clone();
        let (page, waited) = (Err(Error::ShuttingDown), self.entered.elapsed());
        Answered {
            page,
            strategy,
            digest,
            waited,
            served: Duration::ZERO,
            denied: 0,
            spent: Spent::default(),
        }
    }
}

impl Future for Pending {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answered> {
        let answer = match &mut self.answer {
            Some(answer) => ready!(Pin::new(answer).poll(context)).ok(),
            None => None,
        };
        self.answer = None;
        Poll::Ready(answer.unwrap_or_else(|| self.unanswered()))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.answer.take().is_some() {
            self.cancel.cancel();
            if let Some(queue) = self.queue.upgrade() {
                queue.remove(&self.cancel);
            }
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Pending")
    }
}

/// A request on its way to a worker.
pub(super) struct Job {
    pub(super) request: PageRequest,
    pub(super) in_flight: InFlight,
    pub(super) cancel: Arc<CancellationToken>,
    pub(super) entered: Instant,
    pub(super) reply: oneshot::Sender<Answered>,
}

/// What a worker is to do next.
pub(super) enum Next {
    Answer(Job),
    /// Close the connections of deployments that drain.
    Tidy,
    Leave,
}

/// The requests that wait for a worker.
pub(super) struct Queue {
    line: Mutex<Line>,
    arrived: Condvar,
    pub(super) limit: usize,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Job>,
    /// The requests that workers are at.
    running: Vec<Arc<CancellationToken>>,
    /// How many were turned away.
    shed: u64,
    /// Whether no more requests are let in.
    closed: bool,
    /// Whether workers leave.
    over: bool,
    /// How often workers were told to tidy.
    tidied: u64,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { line: Mutex::default(), arrived: Condvar::new(), limit: limit.max(1) })
    }

    /// Lets a request in, to be answered by this deployment.
    pub(super) fn submit(
        self: &Arc<Self>,
        request: PageRequest,
        deployment: &Arc<Deployment>,
    ) -> Result<Pending, Error> {
        let mut line = self.line.lock();
        if line.closed {
            return Err(Error::ShuttingDown);
        }
        if line.waiting.len() >= self.limit {
            line.shed += 1;
            return Err(Error::Overloaded { waiting: self.limit });
        }
        let (reply, answer) = oneshot::channel();
        let (cancel, entered) = (Arc::<CancellationToken>::default(), Instant::now());
        let in_flight = InFlight::new(deployment);
        line.waiting.push_back(Job { request, in_flight, cancel: Arc::clone(&cancel), entered, reply });
        drop(line);
        self.arrived.notify_one();
        let strategy = (Arc::clone(&deployment.name), Arc::clone(&deployment.digest));
        Ok(Pending { answer: Some(answer), cancel, queue: Arc::downgrade(self), strategy, entered })
    }

    /// The next thing to do for a worker that has tidied `tidied` times. Waits for it.
    pub(super) fn next(&self, tidied: &mut u64) -> Next {
        let mut line = self.line.lock();
        loop {
            if *tidied != line.tidied {
                *tidied = line.tidied;
                return Next::Tidy;
            }
            if let Some(job) = line.waiting.pop_front() {
                line.running.push(Arc::clone(&job.cancel));
                return Next::Answer(job);
            }
            if line.over {
                return Next::Leave;
            }
            self.arrived.wait(&mut line);
        }
    }

    /// A worker is done with the request of that token.
    pub(super) fn done(&self, request: &Arc<CancellationToken>) {
        self.line.lock().running.retain(|running| !Arc::ptr_eq(running, request));
    }

    /// Takes out a request that nobody waits for any more, so that it takes nobody's place.
    fn remove(&self, request: &Arc<CancellationToken>) {
        self.line.lock().waiting.retain(|job| !Arc::ptr_eq(&job.cancel, request));
    }

    /// Has every worker close its connections for deployments that drain.
    pub(super) fn tidy(&self) {
        self.line.lock().tidied += 1;
        self.arrived.notify_all();
    }

    /// Lets no more requests in. Returns how many are on their way.
    pub(super) fn close(&self) -> usize {
        self.line.lock().closed = true;
        self.on_their_way()
    }

    /// Waits until no request is on its way, or for that long. Returns how many still are.
    pub(super) fn settle(&self, patience: Duration) -> usize {
        let deadline = Instant::now() + patience;
        loop {
            let left = self.on_their_way();
            if left == 0 || Instant::now() >= deadline {
                return left;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Drops whatever waits, and cancels whatever runs: both are answered with `ShuttingDown`.
    pub(super) fn cut(&self) {
        let (waiting, running) = {
            let mut line = self.line.lock();
            (std::mem::take(&mut line.waiting), line.running.clone())
        };
        drop(waiting);
        for request in running {
            request.cancel();
        }
    }

    /// Has the workers leave once they are done.
    pub(super) fn leave(&self) {
        let mut line = self.line.lock();
        (line.closed, line.over) = (true, true);
        drop(line);
        self.arrived.notify_all();
    }

    /// How many requests wait, and how many were turned away.
    pub(super) fn figures(&self) -> (usize, u64) {
        let line = self.line.lock();
        (line.waiting.len(), line.shed)
    }

    fn on_their_way(&self) -> usize {
        let line = self.line.lock();
        line.waiting.len() + line.running.len()
    }
}

/// The sending end of a bounded channel that can be closed: its receiver then meets the end of it.
pub(super) struct Outlet<T> {
    sender: Mutex<Option<SyncSender<T>>>,
    bound: usize,
}

impl<T> Outlet<T> {
    pub(super) fn new(bound: usize) -> (Self, Receiver<T>) {
        let (sender, receiver) = sync_channel(bound);
        (Self { sender: Mutex::new(Some(sender)), bound }, receiver)
    }

    /// Sends without waiting. Fails with `Overloaded` or `ShuttingDown`.
    pub(super) fn send(&self, what: T) -> Result<(), Error> {
        match self.sender.lock().as_ref().map(|sender| sender.try_send(what)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(Error::Overloaded { waiting: self.bound }),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(Error::ShuttingDown),
        }
    }

    pub(super) fn close(&self) {
        self.sender.lock().take();
    }
}

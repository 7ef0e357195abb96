//! A request on its way: whoever asked waits for it here, or lets go of it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::error::Error;
use crate::log::budget::Canceller;
use crate::page::Page;
use crate::service::pool::Queue;

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
}

/// A request that was let in. Dropped before it is answered, the request is cancelled: its statement is
/// interrupted, and its connection is free for another.
pub struct Pending {
    ticket: Arc<Ticket>,
    queue: Weak<Queue>,
}

/// What client and worker know of one request.
pub(super) struct Ticket {
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Default)]
struct Stage {
    answer: Option<Answered>,
    /// Answered, cancelled, or taken: nothing more will come.
    over: bool,
    cancelled: bool,
    /// Ends the work on it.
    canceller: Option<Canceller>,
    waker: Option<Waker>,
}

impl Pending {
    pub(super) fn new(queue: &Arc<Queue>) -> (Self, Arc<Ticket>) {
        let ticket = Arc::new(Ticket { stage: Mutex::default(), changed: Condvar::new() });
        (Self { ticket: Arc::clone(&ticket), queue: Arc::downgrade(queue) }, ticket)
    }

    /// Waits for the answer, on the calling thread.
    pub fn wait(self) -> Answered {
        let mut stage = self.ticket.stage();
        loop {
            if let Some(answer) = stage.answer.take() {
                return answer;
            }
            stage = self.ticket.changed.wait(stage).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Pending {
    type Output = Answered;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answered> {
        let mut stage = self.ticket.stage();
        if let Some(answer) = stage.answer.take() {
            return Poll::Ready(answer);
        }
        if !stage.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            stage.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.ticket.cancel()
            && let Some(queue) = self.queue.upgrade()
        {
            queue.remove(&self.ticket);
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Pending")
    }
}

impl Ticket {
    /// Work on it begins, which `canceller` ends. False where nobody waits for it any more.
    pub(super) fn begin(&self, canceller: Canceller) -> bool {
        let mut stage = self.stage();
        stage.canceller = Some(canceller);
        !stage.cancelled
    }

    /// Whether somebody waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        !self.stage().cancelled
    }

    /// Hands the answer over. Only the first counts.
    pub(super) fn answer(&self, answer: Answered) {
        let mut stage = self.stage();
        if stage.over {
            return;
        }
        stage.over = true;
        stage.canceller = None;
        stage.answer = Some(answer);
        let waker = stage.waker.take();
        drop(stage);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends the work on it, as its client's going away does, and answers with what the worker makes of that.
    pub(super) fn cut(&self) {
        let canceller = self.stage().canceller.clone();
        if let Some(canceller) = canceller {
            canceller.cancel();
        }
    }

    /// Nobody waits for it any more. True where it was not answered yet.
    fn cancel(&self) -> bool {
        let mut stage = self.stage();
        if std::mem::replace(&mut stage.over, true) {
            return false;
        }
        // First the mark, then the cut: a worker that begins in between sees the mark.
        stage.cancelled = true;
        let canceller = stage.canceller.take();
        drop(stage);
        if let Some(canceller) = canceller {
            canceller.cancel();
        }
        true
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Who gets a connection: viewers up to a budget of file descriptors, operators apart from them.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::decisions::user_of;
use crate::serve::bounds::{CONNECTIONS, DESCRIPTORS, HEAD_TIME, HEAD_TIME_WHEN_FULL, OPERATORS};
use crate::serve::connection::serve;
use crate::serve::front::Front;
use crate::serve::operators::{self, Operator};
use crate::serve::socket::Socket;
use crate::serve::{door, viewers};

/// After an accept that failed: out of descriptors, say. Trying again at once would only burn time.
const BREATH: Duration = Duration::from_millis(50);

/// The connections of one listener.
#[derive(Clone)]
pub(super) struct Lines {
    free: Arc<Semaphore>,
    limit: usize,
}

impl Lines {
    /// As many for viewers as the process may have file descriptors, less what else needs them.
    pub(super) fn of_viewers() -> Self {
        Self::new(descriptors().saturating_sub(DESCRIPTORS).clamp(16, CONNECTIONS))
    }

    /// A few for operators.
    pub(super) fn of_operators() -> Self {
        Self::new(OPERATORS)
    }

    fn new(limit: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(limit)), limit }
    }

    /// How many there may be.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// How long the next one may idle: less, where few are left.
    fn head_time(&self) -> Duration {
        if self.free.available_permits() < self.limit / 4 { HEAD_TIME_WHEN_FULL } else { HEAD_TIME }
    }

    /// Waits until all are closed, or for that long. Returns how many are not.
    pub(super) async fn settle(&self, patience: Duration) -> usize {
        let all = u32::try_from(self.limit).unwrap_or(u32::MAX);
        let closed = timeout(patience, self.free.acquire_many(all)).await;
        if closed.is_ok() { 0 } else { self.limit - self.free.available_permits() }
    }
}

/// Answers viewers until `stop`.
pub(super) async fn viewers(
    listener: TcpListener,
    lines: Lines,
    front: Arc<Front>,
    mut stop: watch::Receiver<bool>,
) {
    let router = viewers::router(Arc::clone(&front));
    loop {
        let next = async {
            let line = Arc::clone(&lines.free).acquire_owned().await.ok()?;
            match listener.accept().await {
                Ok((stream, peer)) => Some((line, stream, peer)),
                Err(error) => {
                    tracing::warn!(%error, "no connection could be taken");
                    sleep(BREATH).await;
                    None
                }
            }
        };
        let next = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            next = next => next,
        };
        let Some((line, stream, peer)) = next else { continue };
        // Where it fails, answers are late by a moment.
        let _ = stream.set_nodelay(true);
        let (front, router, stop, head_time) =
            (Arc::clone(&front), router.clone(), stop.clone(), lines.head_time());
        tokio::spawn(async move {
            front.figures.connections.inc();
            let answer = |request| door::answer(Arc::clone(&front), router.clone(), peer.ip(), request);
            serve(stream, head_time, stop, answer).await;
            front.figures.connections.dec();
            drop(line);
        });
    }
}

/// Answers operators until `stop`.
pub(super) async fn operators(
    socket: Socket,
    lines: Lines,
    front: Arc<Front>,
    mut stop: watch::Receiver<bool>,
) {
    let router = operators::router(front);
    loop {
        let next = async {
            let line = Arc::clone(&lines.free).acquire_owned().await.ok()?;
            if let Ok((stream, _)) = socket.listener.accept().await {
                return Some((line, stream));
            }
            sleep(BREATH).await;
            None
        };
        let next = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            next = next => next,
        };
        let Some((line, stream)) = next else { continue };
        let operator =
            stream.peer_cred().map_or_else(|_| "an unknown user".to_owned(), |peer| user_of(peer.uid()));
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            let answer = |request| operators::answer(router.clone(), Operator(operator.clone()), request);
            serve(stream, HEAD_TIME, stop, answer).await;
            drop(line);
        });
    }
}

/// How many file descriptors the process may have, after asking for as many as it can get.
fn descriptors() -> usize {
    let now = getrlimit(Resource::Nofile);
    let more = Rlimit { current: now.maximum, maximum: now.maximum };
    let got = if setrlimit(Resource::Nofile, more).is_ok() { now.maximum } else { now.current };
    got.and_then(|got| usize::try_from(got).ok()).unwrap_or(usize::MAX)
}

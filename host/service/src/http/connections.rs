//! Connections: who gets one (viewers up to a budget of file descriptors, operators apart from them), and what
//! happens on each from its first byte to its last: HTTP/1.1, one request after another, within time limits.

use std::fs::{self, Permissions};
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::limits::{
    BUFFER_BYTES, CONNECTIONS, DESCRIPTORS, HEAD_BYTES, HEAD_TIME, HEAD_TIME_WHEN_FULL, HEADERS, OPERATORS,
    STALL_TIME,
};
use super::metrics::OpenConnections;
use super::middleware::HttpService;
use super::problem::{PROBLEM_JSON, Problem};
use super::state::{Operator, Viewer};
use crate::decisions::user_of;
use keyhole_log::error::{Error, words};

/// After an accept that failed: out of descriptors, say. Trying again at once would only burn time.
const BREATH: Duration = Duration::from_millis(50);

/// How long what a client still sends is read and dropped after our last word: closed at once, the system would
/// take that word back.
const LINGER: Duration = Duration::from_millis(250);

/// Bytes that are dropped so at most.
const DROPPED: u64 = 1 << 20;

/// The connections that one listener may have open at once.
#[derive(Clone)]
pub(super) struct Connections {
    free: Arc<Semaphore>,
    limit: usize,
    head_time_when_full: Duration,
    open: OpenConnections,
}

impl Connections {
    /// As many for viewers as the process may have file descriptors, less what else needs them.
    pub(super) fn of_viewers(open: OpenConnections) -> Self {
        let limit = descriptors().saturating_sub(DESCRIPTORS).clamp(16, CONNECTIONS);
        Self { free: Arc::new(Semaphore::new(limit)), limit, head_time_when_full: HEAD_TIME_WHEN_FULL, open }
    }

    /// A few for operators.
    pub(super) fn of_operators() -> Self {
        let free = Arc::new(Semaphore::new(OPERATORS));
        Self { free, limit: OPERATORS, head_time_when_full: HEAD_TIME, open: OpenConnections::default() }
    }

    /// How many there may be.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// How long the next one may idle: less, where few are left.
    fn head_time(&self) -> Duration {
        if self.free.available_permits() < self.limit / 4 { self.head_time_when_full } else { HEAD_TIME }
    }

    /// Waits until all are closed, or for that long. Returns how many are not.
    pub(super) async fn settle(&self, patience: Duration) -> usize {
        let all = u32::try_from(self.limit).unwrap_or(u32::MAX);
        let closed = timeout(patience, self.free.acquire_many(all)).await;
        if closed.is_ok() { 0 } else { self.limit - self.free.available_permits() }
    }
}

/// How many file descriptors the process may have, after asking for as many as it can get.
fn descriptors() -> usize {
    let now = getrlimit(Resource::Nofile);
    let more = Rlimit { current: now.maximum, maximum: now.maximum };
    let got = if setrlimit(Resource::Nofile, more).is_ok() { now.maximum } else { now.current };
    got.and_then(|got| usize::try_from(got).ok()).unwrap_or(usize::MAX)
}

/// Where connections come in. `Peer`, who is at a connection's other end, goes with each of its requests.
pub(super) trait Listener {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    type Peer: Clone + Send + Sync + 'static;

    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send;
}

impl Listener for TcpListener {
    type Stream = tokio::net::TcpStream;
    type Peer = Viewer;

    async fn accept(&self) -> io::Result<(Self::Stream, Viewer)> {
        let accepted = Self::accept(self).await;
        let (stream, peer) = accepted
            .inspect_err(|error| tracing::warn!(error = words(error), "no connection could be taken"))?;
        // Where it fails, answers are late by a moment.
        let _ = stream.set_nodelay(true);
        Ok((stream, Viewer(peer.ip())))
    }
}

/// The admin socket: a file that nobody but its owner may connect to, from its first moment on. It goes with this.
pub(super) struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl AdminSocket {
    /// Listens there, of mode 0600. What another process left there is replaced, unless it still listens.
    pub(super) fn listen(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::io(path, source);
        let taken = |why| Err(Error::bad_request(format!("{}: {why}", path.display())));
        if let Ok(metadata) = fs::symlink_metadata(path) {
            if !metadata.file_type().is_socket() {
                return taken("there is a file that is not a socket");
            }
            if UnixStream::connect(path).is_ok() {
                return taken("another service listens there");
            }
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Made in a folder of our own, so that nobody connects before its mode is set.
        let draft = tempfile::Builder::new().prefix(".keyhole-").tempdir_in(folder).map_err(failed)?;
        let made = draft.path().join("s");
        let listener = UnixListener::bind(&made).map_err(failed)?;
        fs::set_permissions(&made, Permissions::from_mode(0o600)).map_err(failed)?;
        fs::rename(&made, path).map_err(failed)?;
        let inode = fs::symlink_metadata(path).map_err(failed)?.ino();
        Ok(Self { listener, path: path.to_owned(), inode })
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // Unless it is another's by now.
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Listener for AdminSocket {
    type Stream = tokio::net::UnixStream;
    type Peer = Operator;

    async fn accept(&self) -> io::Result<(Self::Stream, Operator)> {
        let (stream, _) = self.listener.accept().await?;
        let user = stream.peer_cred().map(|peer| user_of(peer.uid()));
        Ok((stream, Operator(user.unwrap_or_else(|_| "an unknown user".to_owned()))))
    }
}

/// Takes connections and has `service` answer their requests, until `stop`.
pub(super) async fn accept<L: Listener>(
    listener: L,
    connections: Connections,
    service: HttpService,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let next = async {
            let permit = Arc::clone(&connections.free).acquire_owned().await.ok()?;
            if let Ok((stream, peer)) = listener.accept().await {
                return Some((permit, stream, peer));
            }
            sleep(BREATH).await;
            None
        };
        let next = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            next = next => next,
        };
        let Some((permit, stream, peer)) = next else { continue };
        let (service, stop, open) = (service.clone(), stop.clone(), connections.open.clone());
        let head_time = connections.head_time();
        tokio::spawn(async move {
            open.inc();
            serve(stream, peer, head_time, service, stop).await;
            open.dec();
            drop(permit);
        });
    }
}

/// Answers what comes over a connection until either side ends it, or `stop` says that the service ends: then
/// what has been asked is answered, and nothing more.
async fn serve<S, P>(
    stream: S,
    peer: P,
    head_time: Duration,
    service: HttpService,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    P: Clone + Send + Sync + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        service.clone().oneshot(request)
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALL_TIME));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_headers(HEADERS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let outcome = tokio::select! {
        outcome = poll_fn(|context| connection.poll_without_shutdown(context)) => outcome,
        _ = async { stop.wait_for(|stop| *stop).await.is_ok() } => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    let mut broken = false;
    if let Err(error) = outcome {
        broken = !error.is_parse() && !error.is_timeout();
        // One that idles is closed without a word, as nothing was asked.
        if error.is_timeout() && !parts.read_buf.is_empty() {
            broken = stream.write_all(too_slow().as_bytes()).await.is_err();
        }
        tracing::debug!(%error, "a connection ended");
    }
    if !broken && stream.shutdown().await.is_ok() {
        let _ = timeout(LINGER, copy(&mut stream.take(DROPPED), &mut sink())).await;
    }
}

/// What a client gets whose request's head did not arrive in time. Hyper gives up without a word.
fn too_slow() -> String {
    let body = serde_json::to_string(&Problem::new("request-timeout")).unwrap_or_default();
    format!(
        "HTTP/1.1 408 Request Timeout\r\ncontent-type: {PROBLEM_JSON}\r\nconnection: close\r\n\
         cache-control: no-store\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

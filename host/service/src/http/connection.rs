//! One connection, from its first byte to its last: HTTP/1.1, one request after another.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::serve::bounds::{BUFFER_BYTES, HEAD_BYTES, HEADERS};
use crate::serve::stalls::Unstalled;

/// What a client gets whose request's head did not arrive in time.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\
cache-control: no-store\r\ncontent-length: 131\r\n\r\n\
{\"type\":\"urn:keyhole:problem:request-timeout\",\"title\":\"The request took too long to arrive.\",\"status\":408,\"code\":\"request-timeout\"}";

/// How long what a client still sends is read and dropped after our last word: closed at once, the system would
/// take that word back.
const LINGER: Duration = Duration::from_millis(250);

/// Bytes that are dropped so at most.
const DROPPED: usize = 1 << 20;

type Answered = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Answers what comes over a connection until either side ends it, or `stop` says that the service ends: then
/// what has been asked is answered, and nothing more.
pub(super) async fn serve<S, H, F>(stream: S, head_time: Duration, mut stop: watch::Receiver<bool>, handle: H)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request<Body>) -> F,
    F: Future<Output = Response> + Send + 'static,
{
    let service = service_fn(|request: Request<hyper::body::Incoming>| -> Answered {
        let answer = handle(request.map(Body::new));
        Box::pin(async move { Ok(answer.await) })
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_headers(HEADERS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES);
    let mut connection = builder.serve_connection(TokioIo::new(Unstalled::new(stream)), service);
    let outcome = {
        let mut ended = pin!(async { stop.wait_for(|stop| *stop).await.map(|_| ()) });
        let mut stopping = false;
        poll_fn(|context| {
            if !stopping && ended.as_mut().poll(context).is_ready() {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            connection.poll_without_shutdown(context)
        })
        .await
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    let mut broken = false;
    if let Err(error) = outcome {
        broken = !error.is_parse() && !error.is_timeout();
        // One that idles is closed without a word, as nothing was asked.
        if error.is_timeout() && !parts.read_buf.is_empty() {
            broken = stream.write_all(TOO_SLOW).await.is_err();
        }
        tracing::debug!(%error, "a connection ended");
    }
    if !broken && stream.shutdown().await.is_ok() {
        let _ = timeout(LINGER, drop_rest(&mut stream)).await;
    }
}

async fn drop_rest(stream: &mut (impl AsyncRead + Unpin)) {
    let (mut buffer, mut dropped) = ([0; 4096], 0);
    while let Ok(read) = stream.read(&mut buffer).await {
        dropped += read;
        if read == 0 || dropped > DROPPED {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TOO_SLOW;

    #[test]
    fn the_answer_that_is_kept_ready_is_whole() {
        let text = std::str::from_utf8(TOO_SLOW).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        let problem = crate::serve::problem::Problem::new("request-timeout");
        assert_eq!(body, serde_json::to_string(&problem).unwrap());
    }
}

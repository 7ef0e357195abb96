//! The client of a running service's admin socket.

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::orders::{Done, Order, PATH};
use keyhole_log::error::Error;

/// The most that is read of an answer.
const MOST_BYTES: usize = 4 << 20;

/// How long an answer may take: a drain waits for requests, and a check for its child.
const PATIENCE: Duration = Duration::from_mins(2);

/// A service's admin socket. Each order has a connection of its own.
pub struct Client {
    /// Where it lies.
    pub socket: PathBuf,
}

/// Why an order was not carried out, as the service says it.
pub struct Problem {
    /// The answer's status.
    pub status: u16,
    /// The answer: a problem by RFC 9457.
    pub body: Value,
}

impl Client {
    /// Gives an order and waits for its answer. The error says why there is none that could be understood.
    pub fn order(&self, order: &Order) -> Result<Result<Done, Problem>, Error> {
        let body = serde_json::to_vec(order).map_err(|error| Error::Engine(error.to_string()))?;
        let failed = |source| Error::io(&self.socket, source);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let answer = async {
            let late = |_| failed(std::io::ErrorKind::TimedOut.into());
            tokio::time::timeout(PATIENCE, self.exchange(body)).await.map_err(late)?
        };
        let (status, answer) = runtime.block_on(answer)?;
        if status == StatusCode::OK {
            let done = serde_json::from_slice(&answer);
            return done
                .map(Ok)
                .map_err(|error| self.broken(&format!("its answer is not one of this version: {error}")));
        }
        let status = status.as_u16();
        let body =
            serde_json::from_slice(&answer).map_err(|_| self.broken(&format!("it answered {status}")))?;
        Ok(Err(Problem { status, body }))
    }

    async fn exchange(&self, body: Vec<u8>) -> Result<(StatusCode, Bytes), Error> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|source| {
            Error::io(&self.socket, source).during("is `keyhole serve` running? --admin names its socket")
        })?;
        let no_http = || self.broken("its answer is not HTTP: is it the admin socket of `keyhole serve`?");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| no_http())?;
        // It ends with the answer, and an error of it is the answer's.
        let connection = tokio::spawn(connection);
        let request = Request::post(PATH)
            .header("host", "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::<Bytes>::from(body))
            .map_err(|error| Error::Engine(error.to_string()))?;
        let answer = sender.send_request(request).await.map_err(|_| no_http())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await.map_err(|_| no_http())?;
        connection.abort();
        Ok((status, body.to_bytes()))
    }

    fn broken(&self, what: &str) -> Error {
        Error::Engine(format!("{}: {what}", self.socket.display()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// What the client makes of these bytes as the answer to an order.
    fn answered(answer: &[u8]) -> Result<Result<Done, Problem>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
                // A client that has seen enough may close the connection first.
                let _ = stream.write_all(answer);
            });
            Client { socket }.order(&Order::List)
        })
    }

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        let plain = b"HTTP/1.1 409 Conflict\r\ncontent-length: 2\r\n\r\n{}";
        let problem = answered(plain).unwrap().err().unwrap();
        assert_eq!((problem.status, problem.body), (409, serde_json::json!({})));
        let chunked = b"HTTP/1.1 422 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\nA;x=1\r\n\": 1234567\r\n1\r\n}\r\n0\r\n\r\n";
        let problem = answered(chunked).unwrap().err().unwrap();
        assert_eq!((problem.status, problem.body["a"].as_u64()), (422, Some(1_234_567)));
        for length in 0..chunked.len() - 4 {
            assert!(answered(&chunked[..length]).is_err(), "{length}");
        }
        for bad in ["", "\r\n\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 x\r\n\r\n"] {
            let error = answered(bad.as_bytes()).err().unwrap().to_string();
            assert!(error.ends_with("is it the admin socket of `keyhole serve`?"), "{bad:?}: {error}");
        }
    }
}

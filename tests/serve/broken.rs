//! What no honest client sends: it gets its status, or is closed, and others are answered beside it.

use std::io::{Read, Write};
use std::time::Duration;

use super::server::{Reply, Server, end};
use crate::support::Place;

#[test]
fn malformed_requests_are_refused_one_by_one() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(200), &["--rate", "0"]);
    let long_line = [b"GET /", "x".repeat(1 << 20).as_bytes(), b" HTTP/1.1\r\n\r\n"].concat();
    let endless =
        ["GET /healthz HTTP/1.1\r\nHost: localhost\r\n".as_bytes(), "X: y\r\n".repeat(50_000).as_bytes()]
            .concat();
    for (bytes, statuses) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[400][..]),
        (b"GET\r\n\r\n", &[400]),
        (b"GET / HTTP/9.9\r\n\r\n", &[400]),
        (b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n", &[400]),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", &[400]),
        (
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            &[400],
        ),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", &[400]),
        (b"GET /health\x00z HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        (&long_line, &[414, 431]),
        (&endless, &[431]),
    ] {
        let mut stream = server.connect();
        let _ = stream.write_all(bytes);
        end(&stream);
        let reply = Reply::read(&mut stream);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        assert!(reply.as_ref().is_some_and(|reply| statuses.contains(&reply.status)), "{shown:?}: {reply:?}");
        assert_eq!(server.page("/v1/events", "").status, 200, "after {shown:?}");
    }
}

#[test]
fn whoever_sends_a_request_too_slowly_is_told_and_keeps_nobody_waiting() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(200), &["--rate", "0"]);
    let mut slow = server.connect();
    slow.write_all(b"GET /v1/events HTTP/1.1\r\nHost: loc").unwrap();
    let mut silent = server.connect();
    let trickle = slow.try_clone().unwrap();
    let trickling = std::thread::spawn(move || {
        let mut trickle = trickle;
        // Ends once the other side has closed.
        while trickle.write_all(b"a").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    for _ in 0..20 {
        assert_eq!(server.page("/v1/events", "").status, 200);
    }
    Reply::read(&mut slow).expect("it was closed without a word").is_problem(408, "request-timeout");
    let mut rest = Vec::new();
    assert_eq!(silent.read_to_end(&mut rest).unwrap(), 0, "whoever asked nothing is told nothing");
    drop(slow);
    trickling.join().unwrap();
}

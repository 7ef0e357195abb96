//! Every mistake has its status and its problem, no cursor can be made up, and what no honest client sends gets its
//! status, or is closed, while others are answered beside it.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use super::server::{Reply, Server};
use crate::support::Place;

#[test]
fn each_mistake_has_its_status_and_its_problem() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(200), &[]);
    let mistakes = "page_size=0 page_size=1001 page_size=x page=0 page=1&page=2 page=1&after=x from_ts=1.5 \
        to_ts=99999999999999999999 actor_id= limit=5 action=%ff action=%2 from_ts=1&from_ts=1";
    for query in mistakes.split(' ') {
        server.get(&format!("/v1/events?{query}")).is_problem(400, "bad-request");
    }
    for target in ["/", "/v1/event", "/v1/events/"] {
        server.get(target).is_problem(404, "not-found");
    }
    for target in ["/v1/events?after=x", "/v1/events?after="] {
        server.get(target).is_problem(400, "bad-cursor");
    }
    let asked = |first: &str, rest: &str| {
        server.say(format!("{first} HTTP/1.1\r\n{rest}Connection: close\r\n\r\n")).unwrap()
    };
    let local = "Host: localhost\r\n";
    let (page, long) = ("GET /v1/events", format!("GET /v1/events?action={}", "x".repeat(9_000)));
    for (first, rest, status, code) in [
        ("POST /v1/events", local, 405, "bad-method"),
        (page, "", 400, "bad-request"),
        (page, &local.repeat(2), 400, "bad-request"),
        (page, "Host: evil.example\r\n", 421, "misdirected"),
        ("GET /healthz", "Host: evil.example:8080\r\n", 421, "misdirected"),
        ("GET http://evil.example/v1/events", local, 421, "misdirected"),
        (&long, local, 414, "target-too-long"),
        (page, &format!("{local}Content-Length: 100000\r\n"), 413, "body-too-large"),
    ] {
        asked(first, rest).is_problem(status, code);
    }
    assert!(asked("DELETE /healthz", local).header("allow").is_some_and(|allowed| allowed.contains("GET")));
    for headers in [format!("X: {}\r\n", "x".repeat(40_000)), "X: y\r\n".repeat(70)] {
        assert_eq!(asked("GET /healthz", &format!("{local}{headers}")).status, 431);
    }
}

#[test]
fn no_cursor_can_be_made_up_or_used_for_another_filter() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(500), &[]);
    let first = server.page("/v1/events?page_size=10&from_ts=0", "");
    let cursor = first.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(server.page(&format!("/v1/events?from_ts=0&page_size=77&after={cursor}"), "").status, 200);
    for other in ["", "&from_ts=1", "&from_ts=0&to_ts=5", "&from_ts=0&actor_id=1", "&from_ts=0&action="] {
        server.get(&format!("/v1/events?after={cursor}{other}")).is_problem(400, "bad-cursor");
    }
    for place in 0..cursor.len() {
        let mut forged = cursor.clone();
        let other = if &forged[place..=place] == "A" { "B" } else { "A" };
        forged.replace_range(place..=place, other);
        server.get(&format!("/v1/events?from_ts=0&after={forged}")).is_problem(400, "bad-cursor");
    }
}

#[test]
fn the_interfaces_description_names_what_is_served() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(200), &[]);
    let document = server.get("/openapi.json").json();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/healthz", "/readyz", "/v1/events"]);
    let parameters = document["paths"]["/v1/events"]["get"]["parameters"].as_array().unwrap();
    let named = |place: &str| parameters.iter().filter(|one| one["in"] == place).count();
    assert_eq!((named("query"), named("header")), (7, 1), "{parameters:?}");
}

#[test]
fn malformed_requests_are_refused_one_by_one() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(200), &["--rate", "0"]);
    let head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    let with = |headers: &str| format!("{head}{headers}\r\n");
    for (request, statuses) in [
        ("\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03", &[400][..]),
        ("GET\r\n\r\n", &[400]),
        ("GET / HTTP/9.9\r\n\r\n", &[400]),
        ("GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n", &[400]),
        (&with("Content-Length: x\r\n"), &[400]),
        (&with("Content-Length: 1\r\nContent-Length: 2\r\n"), &[400]),
        (&with("Transfer-Encoding: gzip\r\n"), &[400]),
        ("GET /health\x00z HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        (&format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20)), &[414, 431]),
        (&format!("{head}{}", "X: y\r\n".repeat(50_000)), &[431]),
    ] {
        // Characters of one byte each.
        let bytes: Vec<u8> = request.chars().map(|character| u8::try_from(character).unwrap()).collect();
        let mut stream = server.connect();
        let _ = stream.write_all(&bytes);
        // It may be closed already.
        let _ = stream.shutdown(Shutdown::Write);
        let reply = Reply::read(&mut stream);
        let shown = &request[..request.len().min(80)];
        assert!(reply.as_ref().is_some_and(|reply| statuses.contains(&reply.status)), "{shown:?}: {reply:?}");
        assert_eq!(server.page("/v1/events", "").status, 200, "after {shown:?}");
    }
}

#[test]
fn whoever_sends_a_request_too_slowly_is_told_and_keeps_nobody_waiting() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(200), &["--rate", "0"]);
    let (mut slow, mut silent) = (server.connect(), server.connect());
    slow.write_all(b"GET /v1/events HTTP/1.1\r\nHost: loc").unwrap();
    let mut trickle = slow.try_clone().unwrap();
    let trickling = std::thread::spawn(move || {
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

//! Many at once: whoever is too many is turned away, and nobody else waits for them.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::server::{Server, eventually, page_request};
use crate::support::Place;

/// File descriptors that this process may have.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX)
}

#[test]
fn ten_thousand_idle_connections_do_not_stop_it() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(500), &["--rate", "0"]);
    let many = 10_000.min(descriptors().saturating_sub(300));
    let connect = |number: usize| {
        // A burst that is longer than the system's queue is held up by a second each time, and the first would be
        // closed for idling before the last is there.
        if number.is_multiple_of(32) {
            std::thread::sleep(Duration::from_millis(5));
        }
        server.connect()
    };
    let idle: Vec<TcpStream> = (0..many).map(connect).collect();
    for round in 0..20 {
        let status = server.page("/v1/events", "").status;
        assert_eq!(status, 200, "round {round} beside {} idle connections", idle.len());
    }
    let metrics = server.operator_get("/metrics");
    let line = metrics.text().lines().find(|line| line.starts_with("keyhole_http_connections ")).unwrap();
    let open: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("answered beside {} idle connections; it counts {open}", idle.len());
    assert!(open >= f64::from(u32::try_from(idle.len()).unwrap()), "some were closed: {line}");
}

#[test]
fn a_client_that_does_not_take_its_answers_has_its_share_of_places_and_no_more() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(2_000), &["--rate", "0"]);
    server.page("/v1/events", "");
    // More, one after another, than the system's own buffers hold.
    let request = page_request("page_size=1000").repeat(12);
    let mut slow: Vec<TcpStream> = Vec::new();
    let turned_away = (0..200).find_map(|_| {
        let mut stream = server.connect();
        stream.write_all(request.as_bytes()).unwrap();
        slow.push(stream);
        std::thread::sleep(Duration::from_millis(20));
        let reply = server.get("/v1/events");
        (reply.status == 503 && reply.json()["code"] == "overloaded").then_some(reply)
    });
    let turned_away = turned_away.expect("200 answers that nobody takes, and still no end of places");
    turned_away.is_problem(503, "overloaded");
    assert_eq!(server.get("/healthz").status, 200, "it lives");
    assert!(slow.len() >= 32, "{} answers are no crowd", slow.len());
    drop(slow);
    assert_eq!(server.page("/v1/events", "").status, 200, "places come back");
}

#[test]
fn abandoned_requests_leave_nothing_behind() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(2_000), &["--rate", "0"]);
    for number in 0..300 {
        let request = page_request(&format!("page_size=1000&page={}", number % 3));
        server.connect().write_all(request.as_bytes()).unwrap();
    }
    assert_eq!(server.page("/v1/events", "").status, 200);
    let none = "keyhole_http_requests_in_flight 0.0\n";
    let idle = || {
        server.state()["active"]["in_flight"] == 0 && server.operator_get("/metrics").text().contains(none)
    };
    eventually(|| server.state().to_string(), || idle().then_some(()));
}

//! Every mistake has its status and its problem, and no cursor can be made up.

use super::server::Server;
use crate::support::Place;

#[test]
fn each_mistake_has_its_status_and_its_problem() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(200), &[]);
    for query in [
        "page_size=0",
        "page_size=1001",
        "page_size=x",
        "page=0",
        "page=1&page=2",
        "page=1&after=x",
        "from_ts=1.5",
        "to_ts=99999999999999999999",
        "actor_id=",
        "limit=5",
        "action=%ff",
        "action=%2",
        "from_ts=1&from_ts=1",
    ] {
        server.get(&format!("/v1/events?{query}")).is_problem(400, "bad-request");
    }
    for (target, status, code) in [
        ("/", 404, "not-found"),
        ("/v1/event", 404, "not-found"),
        ("/v1/events/", 404, "not-found"),
        ("/v1/events?after=x", 400, "bad-cursor"),
        ("/v1/events?after=", 400, "bad-cursor"),
    ] {
        server.get(target).is_problem(status, code);
    }
    let asked = |first: &str, rest: &str| {
        server.say(format!("{first} HTTP/1.1\r\n{rest}Connection: close\r\n\r\n").as_bytes()).unwrap()
    };
    let local = "Host: localhost\r\n";
    asked("POST /v1/events", local).is_problem(405, "bad-method");
    assert!(asked("DELETE /healthz", local).header("allow").is_some_and(|allowed| allowed.contains("GET")));
    asked("GET /v1/events", "").is_problem(400, "bad-request");
    asked("GET /v1/events", "Host: localhost\r\nHost: localhost\r\n").is_problem(400, "bad-request");
    asked("GET /v1/events", "Host: evil.example\r\n").is_problem(421, "misdirected");
    asked("GET /healthz", "Host: evil.example:8080\r\n").is_problem(421, "misdirected");
    asked("GET http://evil.example/v1/events", local).is_problem(421, "misdirected");
    asked(&format!("GET /v1/events?action={}", "x".repeat(9_000)), local).is_problem(414, "target-too-long");
    asked("GET /v1/events", &format!("{local}Content-Length: 100000\r\n")).is_problem(413, "body-too-large");
    assert_eq!(asked("GET /healthz", &format!("{local}X: {}\r\n", "x".repeat(40_000))).status, 431);
    assert_eq!(asked("GET /healthz", &format!("{local}{}", "X: y\r\n".repeat(70))).status, 431);
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
        let mut forged = cursor.clone().into_bytes();
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
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

//! Orders and metrics are on the admin socket, and nowhere else.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;

use super::server::{Server, request};
use crate::support::{Place, code, stderr};

#[test]
fn a_viewers_address_answers_no_order_whatever_the_path() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(200), &["--rate", "0"]);
    let swaps = server.state()["swaps"].clone();
    let order = r#"{"verb":"rollback"}"#;
    let before =
        "/ /. /v1/events/.. /v1/events/%2e%2e /healthz/.. /healthz%2f.. \\ http://localhost /healthz;";
    let after = "/ ?x %00 ;x #x";
    for path in
        ["/metrics", "/v1/strategy", "/v1/admin", "/admin", "/v1/strategies", "/debug", "/readyz/detail"]
    {
        let escaped = format!("/%{:02x}{}", path.as_bytes()[1], &path[2..]);
        let mut tricks = vec![path.to_owned(), escaped, path.to_uppercase()];
        tricks.extend(before.split(' ').map(|before| format!("{before}{path}")));
        tricks.extend(after.split(' ').map(|after| format!("{path}{after}")));
        let headers = format!(
            "Connection: close\r\nX-Forwarded-For: 127.0.0.1\r\nX-Original-URL: {path}\r\n\
             Content-Type: application/json\r\n"
        );
        for trick in tricks {
            for method in ["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "CONNECT", "PATCH"] {
                let mut stream = server.connect();
                let _ = stream.write_all(request(method, &trick, &headers, order).as_bytes());
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer);
                let answer = String::from_utf8_lossy(&answer);
                let status = answer.split(' ').nth(1).unwrap_or_default();
                let told = answer.contains("keyhole_") || answer.contains("digest");
                assert!(["404", "400"].contains(&status) && !told, "{method} {trick}: {answer}");
            }
        }
    }
    assert_eq!(server.state()["swaps"], swaps);
}

#[test]
fn the_socket_is_its_owners_and_takes_orders() {
    let place = Place::new();
    let log = place.small_data(200);
    let server = Server::start(&place, &log, &[]);
    let mode = std::fs::metadata(&server.admin).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let order = |text: &str| server.order_text(text);
    let listed = order(r#"{"verb":"list"}"#);
    assert_eq!(listed.status, 200, "{listed:?}");
    assert!(listed.text().contains("\"keyset\""), "{}", listed.text());
    order("{}").is_problem(400, "bad-request");
    order(r#"{"verb":"burn"}"#).is_problem(400, "bad-request");
    order(&" ".repeat(100_000)).is_problem(413, "body-too-large");
    assert!((400..500).contains(&order(r#"{"verb":"rollback"}"#).status), "there is nothing to roll back to");
    server.operator_get("/v1/events").is_problem(404, "not-found");
    assert_eq!(server.get("/readyz").status, 200);
    assert!(!server.get("/readyz").text().contains("keyset"), "detail is for operators");

    let admin = server.admin.to_str().unwrap();
    let taken = place.run(&log, &["serve", "--listen", "127.0.0.1:0", "--admin", admin]);
    assert_eq!(code(&taken), 2);
    assert!(stderr(&taken).contains("another service listens"), "{}", stderr(&taken));
    assert_eq!(server.operator_get("/healthz").status, 200, "the one that listens stays");
}

#[test]
fn metrics_tell_what_was_asked() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(200), &[]);
    let named = server.page("/v1/events", "X-Request-Id: named-by-me\r\n");
    assert_eq!(named.header("x-request-id"), Some("named-by-me"));
    server.get("/v1/events?page=0").is_problem(400, "bad-request");
    let metrics = server.operator_get("/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = metrics.text();
    assert!(text.ends_with("# EOF\n"));
    for series in [
        "keyhole_requests_total{strategy=\"keyset\"} ",
        "keyhole_request_seconds_bucket{le=",
        "keyhole_http_answers_total{status=\"400\",code=\"bad-request\"} 1\n",
        "keyhole_ready 1.0",
        "keyhole_workers ",
        "keyhole_queued 0.0",
        "keyhole_shed_total 0.0",
        "keyhole_swaps_total 0.0",
        "keyhole_scratch_lag_events{strategy=\"keyset\"",
        "keyhole_scratch_bytes{",
        "keyhole_breaker_trips_total{",
        "keyhole_reference_different_total 0.0",
        "keyhole_active{strategy=\"keyset\",digest=\"",
    ] {
        assert!(text.contains(series), "{series} is missing:\n{text}");
    }
    let line = server.logged("answered");
    assert!(line["request"].is_string() && line["us"].is_u64(), "{line}");
}

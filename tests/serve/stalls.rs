//! A machine that stands still, and what is said of a request that failed: what a strategy did is told from what the
//! machine did.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use super::server::{Server, eventually};
use super::stanzas::Stanzas;
use crate::support::{Place, SetOnDrop};

/// Longer than any limit on a page's time.
const STANDSTILL: Duration = Duration::from_millis(700);

#[test]
fn a_process_that_was_stopped_in_mid_request_holds_it_against_no_strategy() {
    let place = Place::new();
    let log = place.small_data(3_000);
    let policy = Stanzas::new(&place, "[serve]\nbreaker = { failures = 1, within = \"10m\" }\n").write();
    let server = Server::start(&place, &log, &["--rate", "0", "--policy", &policy]);
    let over = AtomicBool::new(false);
    let codes = std::thread::scope(|scope| {
        let over = &over;
        let clients: Vec<_> = (0..2)
            .map(|_| {
                let server = &server;
                scope.spawn(move || {
                    let mut codes = Vec::new();
                    while !over.load(SeqCst) {
                        let reply = server.get("/v1/events?page_size=200");
                        if reply.status != 200 {
                            codes.push(reply.json()["code"].as_str().unwrap().to_owned());
                        }
                    }
                    codes
                })
            })
            .collect();
        let ended = SetOnDrop(over);
        for pause in 0..8 {
            std::thread::sleep(Duration::from_millis(40 + 7 * pause));
            server.signal("STOP");
            std::thread::sleep(STANDSTILL);
            server.signal("CONT");
        }
        drop(ended);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(codes.iter().all(|code| code == "starved" || code == "busy"), "{codes:?}");
    let state = server.state();
    assert_eq!(state["active"]["name"], "keyset", "{state}");
    assert_eq!(state["active"]["breaker"]["trips"], 0, "{state}");
    assert_eq!(server.page("/v1/events", "").status, 200);
}

#[test]
fn what_is_logged_of_a_request_that_failed_has_its_limit_and_what_was_used() {
    let place = Place::new();
    let log = place.small_data(300);
    let policy = Stanzas::new(&place, "[limits]\nrows = 3\n").write();
    let server = Server::start(&place, &log, &["--policy", &policy]);
    let refused = eventually(String::new, || {
        Some(server.get("/v1/events?page_size=50")).filter(|reply| reply.json()["code"] == "budget")
    });
    refused.is_problem(503, "budget");
    let line = server.logged("no page");
    assert_eq!(
        (&line["code"], &line["error"]),
        (&"budget".into(), &"over the limit rows (3)".into()),
        "{line}"
    );
    let used = line["used"].as_str().unwrap();
    assert!(
        used.contains(" ms of processor time in ") && used.contains(" steps, ") && used.ends_with(" rows"),
        "{line}"
    );
}

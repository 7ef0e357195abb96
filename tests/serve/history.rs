//! A log whose history is changed while pages are served: what is served is of the log as it is.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use super::server::{Server, eventually};
use crate::support::answers::Answer;
use crate::support::writer::{Model, whole_log};
use crate::support::{Place, stdout};

const EVENTS: u64 = 3_000;

fn change(data: &Path, sql: &str) {
    let writer = Connection::open(data.join("audit.db")).unwrap();
    writer.busy_timeout(Duration::from_secs(10)).unwrap();
    writer.execute_batch(&format!("BEGIN IMMEDIATE; {sql}; COMMIT")).unwrap();
}

/// The first page of the whole log that is not the log's.
fn wrong(server: &Server, data: &Path) -> Option<u64> {
    let model = Model::of(data);
    [1, 29, 30, 31, 32, 60].into_iter().find(|page| {
        let reply = server.page(&format!("/v1/events?page={page}&page_size=50"), "");
        assert_eq!(reply.status, 200, "{reply:?}");
        Answer::read(reply.text()).ids != model.ids(&whole_log(*page, 50), i64::MAX)
    })
}

fn decisions(place: &Place) -> String {
    stdout(&place.keyhole().args(["decisions", "show", "--json"]).output().unwrap())
}

#[test]
fn a_change_that_is_a_commit_of_its_own_is_found_by_the_pages_themselves_and_recorded() {
    let place = Place::new();
    let data = place.small_data(EVENTS);
    let server = Server::start(&place, &data, &["--rate", "0"]);
    assert_eq!(wrong(&server, &data), None);
    for (id, sql) in [
        (1503, "DELETE FROM audit_events WHERE id = 1503"),
        (1600, "UPDATE audit_events SET created_at = created_at - 864000 WHERE id = 1600"),
        (
            1503,
            "INSERT INTO audit_events SELECT 1503, created_at, actor_id, action, resource_type, resource_id,
            payload_offset, payload_len FROM audit_events WHERE id = 1504",
        ),
    ] {
        change(&data, sql);
        let began = Instant::now();
        while let Some(page) = wrong(&server, &data) {
            assert!(began.elapsed() < Duration::from_secs(5), "{sql}: page {page} is still wrong");
        }
        let named = format!("event {id} was ");
        eventually(
            || format!("{named}: {}", decisions(&place)),
            || decisions(&place).contains(&named).then_some(()),
        );
    }
    assert!(server.state()["active"]["scratch"]["dropped"].as_u64() >= Some(3));
    assert_eq!(wrong(&server, &data), None);
}

#[test]
fn a_commit_that_appends_and_rewrites_is_found_within_a_round_of_the_scrub() {
    let place = Place::new();
    let data = place.small_data(EVENTS);
    let server = Server::start(&place, &data, &["--rate", "0"]);
    assert_eq!(wrong(&server, &data), None);
    let scrub = || server.state()["active"]["scratch"]["scrub"].clone();
    let (rounds, began) = (scrub()["rounds"].as_u64().unwrap(), Instant::now());
    change(
        &data,
        "UPDATE audit_events SET created_at = created_at - 864000 WHERE id = 1600;
         INSERT INTO audit_events SELECT NULL, created_at, actor_id, action, resource_type, resource_id,
            payload_offset, payload_len FROM audit_events WHERE id = 1504",
    );
    while let Some(page) = wrong(&server, &data) {
        assert!(began.elapsed() < Duration::from_secs(40), "page {page} is still wrong: {}", scrub());
        std::thread::sleep(Duration::from_millis(50));
    }
    let found =
        || (decisions(&place).contains("event 1600 was rewritten") && scrub()["found"] == 1).then_some(());
    eventually(|| format!("{} {}", scrub(), decisions(&place)), found);
    // It goes on, and says so.
    let ended = || scrub()["rounds"].as_u64().filter(|after| *after > rounds + 1);
    eventually(|| scrub().to_string(), ended);
    let metrics = server.operator_get("/metrics");
    for line in ["log_history_changes_total{", "scratch_scrub_ended_seconds{", "scratch_scrub_rounds_total{"]
    {
        assert!(metrics.text().contains(&format!("keyhole_{line}")), "{}", metrics.text());
    }
    let listed =
        place.keyhole().args(["strategy", "--admin"]).arg(&server.admin).arg("list").output().unwrap();
    // Lines are broken where the screen ends.
    let listed = stdout(&listed).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(listed.contains("compared with the log, all of it last at 20"), "{listed}");
    assert!(listed.contains("found changed 1 times"), "{listed}");
    let state: Value = server.state();
    assert_eq!(state["active"]["scratch"]["scrub"]["of"], 3_001, "{state}");
}

/// A writer with a table of its own beside the log's has us compare now and then, and for a tenth of the time at most.
#[test]
fn commits_to_another_table_do_not_keep_a_comparison_running() {
    let place = Place::new();
    let data = place.own_data();
    change(&data, "CREATE TABLE sessions (at)");
    let server = Server::start(&place, &data, &["--rate", "0"]);
    let (before, began) = (server.processor(), Instant::now());
    let mut pages = 0;
    while began.elapsed() < Duration::from_secs(3) {
        change(&data, "INSERT INTO sessions VALUES (1)");
        assert_eq!(server.page("/v1/events?page_size=1", "").status, 200);
        pages += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    let share = (server.processor() - before) / began.elapsed().as_secs_f64();
    assert!(share < 0.5, "{share} of a core for {pages} pages");
    assert_eq!(server.state()["active"]["scratch"]["dropped"], 0);
}

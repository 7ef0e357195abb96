//! What makes a service unready, over HTTP: a viewer learns that it is and when to ask again, an operator learns why.

use std::fs::File;
use std::path::PathBuf;

use serde_json::json;

use super::server::{Server, eventually};
use super::stanzas::{PATIENT, Stanzas};
use crate::support::writer::Writer;
use crate::support::{Place, code};

/// Waits until it is unready for this reason.
fn unready(server: &Server, why: &str) -> String {
    let never = || format!("never unready by {why}: {}", server.state());
    eventually(never, || {
        let (told, detail) = (server.get("/readyz"), server.operator_get("/readyz"));
        let troubles = detail.json()["troubles"].clone();
        let trouble = troubles.as_array().unwrap().iter().find(|trouble| trouble["code"] == why)?;
        if (told.status, detail.status) != (503, 503) {
            return None;
        }
        told.is_problem(503, "unready");
        assert!(!told.text().contains(why), "why is for operators: {}", told.text());
        assert!(detail.header("retry-after").is_some(), "{detail:?}");
        assert_eq!(server.get("/healthz").status, 200);
        Some(trouble["message"].as_str().unwrap().to_owned())
    })
}

/// Waits until it is ready, and answers.
fn ready(server: &Server) {
    let never = || format!("never ready: {}", server.state());
    let status = || (server.get("/readyz").status, server.operator_get("/readyz").status);
    eventually(never, || (status() == (200, 200)).then_some(()));
    assert_eq!(server.page("/v1/events", "").status, 200);
}

#[test]
fn a_journal_that_a_killed_writer_left_makes_it_unready_until_the_writer_starts() {
    let place = Place::new();
    let data = place.small_data(2_000);
    let server = Server::start(&place, &data, &[]);
    ready(&server);
    let mut writer = Writer::start(&data);
    writer.order("spill");
    assert_eq!(writer.report()["spilled"], true);
    writer.kill();
    unready(&server, "log-needs-recovery");
    server.get("/v1/events").is_problem(503, "log-needs-recovery");
    drop(Writer::start(&data));
    ready(&server);
}

#[test]
fn a_file_of_the_log_that_is_replaced_makes_it_unready_until_scratch_fits_the_new_one() {
    for file in ["audit.db", "payloads.jsonl"] {
        let place = Place::new();
        let data = place.small_data(500);
        std::fs::copy(data.join(file), place.path("copy")).unwrap();
        let server = Server::start(&place, &data, &[]);
        ready(&server);
        std::fs::rename(place.path("copy"), data.join(file)).unwrap();
        unready(&server, "log-replaced");
        ready(&server);
    }
}

#[test]
fn a_strategy_that_nobody_has_proven_serves_and_makes_it_unready_until_it_is_proven() {
    let place = Place::new();
    let mut stanzas = Stanzas::new(&place, &format!("{PATIENT}[serve]\nactive = \"unproven\"\n"));
    stanzas.let_in_keyset("unproven");
    let server = Server::start(&place, &place.small_data(1_000), &["--policy", &stanzas.write()]);
    let why = unready(&server, "not-ready");
    assert!(why.contains("unproven") && why.contains("not proven yet"), "{why}");
    assert_eq!(server.page("/v1/events", "").header("keyhole-strategy"), Some("unproven"));
    ready(&server);
}

/// Holds what every fill of this place's scratch waits for.
fn hold(place: &Place) -> File {
    let folder: PathBuf =
        std::fs::read_dir(place.path("cache").join("scratch")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(folder.join("scratch.db")).unwrap();
    let lock = File::options().write(true).open(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    lock
}

#[test]
fn it_listens_while_scratch_is_filled_and_says_so_to_each_who_asks() {
    let place = Place::new();
    let data = place.small_data(500);
    drop(Server::start(&place, &data, &[]));
    let held = hold(&place);
    let server = Server::listening(&place, &data, &[]);
    let why = unready(&server, "nothing-serves");
    assert!(why.contains("the scratch of keyset is filled first"), "{why}");
    server.get("/v1/events").is_problem(503, "nothing-serves");
    server.get("/v1/events?page=0").is_problem(400, "bad-request");
    server.order(&json!({"verb": "rollback"})).is_problem(409, "not-ready");
    assert_eq!(server.order(&json!({"verb": "list"})).status, 200);
    drop(held);
    server.logged("serving");
    ready(&server);
}

#[test]
fn sigterm_ends_it_while_scratch_is_filled() {
    let place = Place::new();
    let data = place.small_data(500);
    drop(Server::start(&place, &data, &[]));
    let _held = hold(&place);
    let server = Server::listening(&place, &data, &["--deadline", "5"]);
    unready(&server, "nothing-serves");
    server.signal("TERM");
    assert_eq!(code(&server.wait()), 0);
}

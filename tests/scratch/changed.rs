//! A log whose history was changed: laws make operators erase and correct events, and backups are put in place. An
//! index of what the log held before answers nobody wrongly for long.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::kept::scratch;
use super::scratch_folder;
use crate::support::Place;
use crate::support::writer::{Conversation, Model, ids, whole_log};

const EVENTS: u64 = 3_000;

/// What is done to a log, each as one commit.
const CHANGES: [(&str, &str); 14] = [
    ("erased", "DELETE FROM audit_events WHERE id = 1503"),
    ("the first one erased", "DELETE FROM audit_events WHERE id = (SELECT min(id) FROM audit_events)"),
    ("the last one erased", "DELETE FROM audit_events WHERE id = (SELECT max(id) FROM audit_events)"),
    ("those of one actor erased", "DELETE FROM audit_events WHERE actor_id = 7"),
    ("the oldest erased", "DELETE FROM audit_events WHERE id <= 300"),
    ("the action rewritten", "UPDATE audit_events SET action = 'REDACTED' WHERE id = 1502"),
    ("the actor rewritten", "UPDATE audit_events SET actor_id = 99999 WHERE id BETWEEN 1200 AND 1210"),
    ("the time corrected", "UPDATE audit_events SET created_at = created_at - 86400 WHERE id = 2000"),
    ("all times corrected", "UPDATE audit_events SET created_at = created_at + 3600"),
    ("the resource rewritten", "UPDATE audit_events SET resource_id = 'USER-0', resource_type = 'USER' WHERE id = 900"),
    (
        "two of them swapped",
        "UPDATE audit_events SET created_at = (SELECT other.created_at FROM audit_events AS other
            WHERE other.id = 2601 - audit_events.id) WHERE id IN (1300, 1301)",
    ),
    ("put where one was erased", "INSERT INTO audit_events SELECT 1503, created_at, actor_id, action, resource_type,
        resource_id, payload_offset, payload_len FROM audit_events WHERE id = 1504"),
    ("erased, and another appended", "INSERT INTO audit_events SELECT NULL, created_at, actor_id, action, resource_type,
        resource_id, payload_offset, payload_len FROM audit_events WHERE id = 1504; DELETE FROM audit_events WHERE id = 1504"),
    ("nothing but a VACUUM", "VACUUM"),
];

fn change(data: &Path, sql: &str) {
    let writer = Connection::open(data.join("audit.db")).unwrap();
    writer.busy_timeout(Duration::from_secs(10)).unwrap();
    let sql = if sql == "VACUUM" { sql.to_owned() } else { format!("BEGIN IMMEDIATE; {sql}; COMMIT") };
    writer.execute_batch(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Requests that any of the changes shows in.
fn queries() -> Vec<Value> {
    let mut queries: Vec<Value> = [1, 29, 30, 31, 55, 60].map(|page| whole_log(page, 50)).to_vec();
    for (name, value) in [
        ("actor_id", json!(7)),
        ("actor_id", json!(99_999)),
        ("action", json!("REDACTED")),
        ("action", json!("LOGIN")),
    ] {
        for page in [1, 2] {
            let mut query = whole_log(page, 50);
            query[name] = value.clone();
            queries.push(query);
        }
    }
    queries
}

/// The first query that is answered otherwise than by the log as it is now.
fn wrong(conversation: &mut Conversation, data: &Path) -> Option<Value> {
    let model = Model::of(data);
    queries().into_iter().find(|query| ids(&conversation.ask(query)) != model.ids(query, i64::MAX))
}

#[test]
fn a_new_process_answers_for_the_log_as_it_is_after_every_kind_of_change() {
    for strategy in ["keyset", "native-keyset"] {
        let place = Place::new();
        let data = place.small_data(EVENTS);
        assert_eq!(wrong(&mut Conversation::start(&place, &data, strategy), &data), None);
        for (what, sql) in CHANGES {
            change(&data, sql);
            let mut conversation = Conversation::start(&place, &data, strategy);
            assert_eq!(wrong(&mut conversation, &data), None, "{strategy}: {what}");
            conversation.end();
        }
    }
}

#[test]
fn a_running_process_answers_for_the_log_as_it_is_soon_after_every_kind_of_change() {
    for strategy in ["keyset", "native-keyset"] {
        let place = Place::new();
        let data = place.small_data(EVENTS);
        let mut conversation = Conversation::start(&place, &data, strategy);
        assert_eq!(wrong(&mut conversation, &data), None);
        for (what, sql) in CHANGES {
            change(&data, sql);
            let began = Instant::now();
            while let Some(query) = wrong(&mut conversation, &data) {
                assert!(
                    began.elapsed() < Duration::from_secs(20),
                    "{strategy}: {what}: still wrong: {query}"
                );
            }
            // Once it is right it stays right.
            assert_eq!(wrong(&mut conversation, &data), None, "{strategy}: {what}");
        }
        conversation.end();
    }
}

#[test]
fn an_older_copy_that_is_put_in_place_is_answered_for() {
    for (strategy, by_rename) in [("keyset", false), ("keyset", true), ("native-keyset", false)] {
        let place = Place::new();
        let data = place.small_data(EVENTS);
        let (log, copy) = (data.join("audit.db"), data.join("older"));
        // Two copies of one length: one has what the other has not.
        fs::copy(&log, &copy).unwrap();
        change(&data, "UPDATE audit_events SET actor_id = 7 WHERE id BETWEEN 1400 AND 1450");
        let mut conversation = Conversation::start(&place, &data, strategy);
        assert_eq!(wrong(&mut conversation, &data), None);
        if by_rename {
            fs::rename(&copy, &log).unwrap();
        } else {
            fs::copy(&copy, &log).unwrap();
        }
        let began = Instant::now();
        while let Some(query) = wrong(&mut conversation, &data) {
            assert!(began.elapsed() < Duration::from_secs(20), "{strategy}, {by_rename}: {query}");
        }
        let mut new = Conversation::start(&place, &data, strategy);
        assert_eq!(wrong(&mut new, &data), None, "{strategy}, {by_rename}");
    }
}

#[test]
fn a_log_that_was_not_written_to_is_not_compared_again_and_one_that_was_is_once() {
    let place = Place::new();
    let data = place.small_data(EVENTS);
    let compared = |place: &Place| -> (String, i64) {
        let scratch = Connection::open(scratch_folder(place).join("scratch.db")).unwrap();
        let both = "SELECT version, rounds FROM keyhole_compared";
        scratch.query_row(both, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let page = || assert_eq!(wrong(&mut Conversation::start(&place, &data, "keyset"), &data), None);
    page();
    let filled = compared(&place);
    assert_eq!(filled.1, 0, "what was just filled is as good as compared");
    page();
    assert_eq!(compared(&place), filled);
    // A writer with a table of its own beside the log's.
    change(&data, "CREATE TABLE other (x); INSERT INTO other VALUES (1)");
    page();
    let again = compared(&place);
    assert!(again.1 == 1 && again.0 != filled.0, "{again:?}");
    page();
    assert_eq!(compared(&place), again);
}

/// The kinds of change that differ in what a scratch is made from, looked into by order.
#[test]
fn a_scrub_by_order_names_what_differs_and_lets_go_of_it() {
    let place = Place::new();
    let (data, untouched): (PathBuf, PathBuf) = (place.small_data(EVENTS), place.own_data());
    for data in [&data, &untouched] {
        assert_eq!(wrong(&mut Conversation::start(&place, data, "keyset"), data), None);
    }
    let (code, said) = scratch(&place, &["scrub", "--all"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(said["scratch"].as_array().unwrap().len(), 2, "{said}");
    change(
        &data,
        "DELETE FROM audit_events WHERE id = 1503; UPDATE audit_events SET action = 'X' WHERE id = 7",
    );
    let (code, said) = scratch(&place, &["scrub", "--all"]);
    assert_eq!(code, 1, "{said}");
    let differ: Vec<&Value> =
        said["scratch"].as_array().unwrap().iter().filter(|line| !line["differs"].is_null()).collect();
    let [line] = differ[..] else { panic!("{said}") };
    let why = line["differs"].as_str().unwrap();
    assert!(why.contains("event 7 was rewritten, event 1503 was erased"), "{why}");
    let decisions = place.keyhole().args(["decisions", "show", "--json"]).output().unwrap();
    let decisions = String::from_utf8(decisions.stdout).unwrap();
    assert!(decisions.contains("event 1503 was erased"), "{decisions}");
    assert_eq!(wrong(&mut Conversation::start(&place, &data, "keyset"), &data), None);
    let (code, said) = scratch(&place, &["scrub", "--all"]);
    assert_eq!(code, 0, "{said}");
    // A log that is gone is passed over.
    fs::remove_dir_all(&data).unwrap();
    let (code, said) = scratch(&place, &["scrub", "--all"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.to_string().contains("does not exist"), "{said}");
}

#[test]
fn a_payload_line_that_was_rewritten_or_is_shared_is_named_by_a_scrub() {
    use std::os::unix::fs::FileExt;
    let place = Place::new();
    let data = place.small_data(EVENTS);
    assert_eq!(wrong(&mut Conversation::start(&place, &data, "keyset"), &data), None);
    let scrubbed = |expected: i32| -> Value {
        let (code, said) = scratch(&place, &["scrub"]);
        assert_eq!(code, expected, "{said}");
        said["scratch"][0].clone()
    };
    let learnt = scrubbed(0);
    assert_eq!((&learnt["compared"], &learnt["faults"]), (&json!(EVENTS), &json!(0)), "{learnt}");
    let log = Connection::open(data.join("audit.db")).unwrap();
    let place_of = "SELECT payload_offset, payload_len FROM audit_events WHERE id = 700";
    let (offset, len): (i64, i64) =
        log.query_row(place_of, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    drop(log);
    let line = format!("\"{}\"\n", "x".repeat(usize::try_from(len).unwrap() - 3));
    let payloads = fs::File::options().write(true).open(data.join("payloads.jsonl")).unwrap();
    payloads.write_all_at(line.as_bytes(), u64::try_from(offset).unwrap()).unwrap();
    let found = scrubbed(1);
    assert_eq!(found["lines"], json!(["the payload of event 700 is another one than it was"]), "{found}");
    let decisions = place.keyhole().args(["decisions", "show", "--json"]).output().unwrap();
    let decisions = String::from_utf8(decisions.stdout).unwrap();
    assert!(decisions.contains("the payload of event 700 is another one"), "{decisions}");
    scrubbed(0);
    change(
        &data,
        "UPDATE audit_events SET (payload_offset, payload_len) =
            (SELECT payload_offset, payload_len FROM audit_events WHERE id = 9) WHERE id = 2000",
    );
    assert_eq!(wrong(&mut Conversation::start(&place, &data, "keyset"), &data), None);
    let shared = scrubbed(1);
    assert_eq!(shared["lines"], json!(["the span of event 2000 shares bytes with that of another event"]));
}

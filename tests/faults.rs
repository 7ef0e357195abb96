//! Broken data: an error that names what is broken, never a page that leaves it out, never a crash.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::support::writer::{Conversation, Model, Writer, ids, whole_log};
use crate::support::{Place, STRATEGIES, code, digest, error_of, refused, stderr, stdout};

fn first_page(place: &Place, data: &Path, strategy: &str) -> Output {
    place.run(data, &["--json", "page", strategy, "--page-size", "20"])
}

/// Changes a log that nobody has open, as no live system would.
fn tamper(data: &Path, sql: &str) {
    Connection::open(data.join("audit.db")).unwrap().execute_batch(sql).unwrap();
}

/// The newest event: its id and where its payload lies.
fn newest(data: &Path) -> (i64, u64, u64) {
    let log = Connection::open(data.join("audit.db")).unwrap();
    let newest =
        "SELECT id, payload_offset, payload_len FROM audit_events ORDER BY created_at DESC, id DESC LIMIT 1";
    let (id, offset, len): (i64, u32, u32) =
        log.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    (id, offset.into(), len.into())
}

fn patch(path: &Path, offset: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    std::fs::File::options().write(true).open(path).unwrap().write_all_at(bytes, offset).unwrap();
}

fn assert_payload_corrupt(place: &Place, data: &Path, id: i64, case: &str) {
    for strategy in STRATEGIES {
        let error = refused(&first_page(place, data, strategy), 2, "payload-corrupt");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&format!("event {id} ")), "{case}, {strategy}: {message}");
    }
}

#[test]
fn an_event_whose_span_is_not_its_line_is_named_and_never_left_out() {
    let place = Place::new();
    let data = place.small_data(100);
    let (id, offset, len) = newest(&data);
    let end = std::fs::metadata(data.join("payloads.jsonl")).unwrap().len();
    for (case, offset, len) in [
        ("past the end", i64::try_from(end).unwrap() - 3, 10),
        ("far past the end", i64::MAX - 5, 5),
        ("negative offset", -1, 10),
        ("negative length", 0, -10),
        ("overflowing", i64::MAX, i64::MAX),
        ("mid-line", i64::try_from(offset).unwrap() + 1, i64::try_from(len).unwrap() - 1),
        ("cut off", i64::try_from(offset).unwrap(), i64::try_from(len).unwrap() - 1),
        ("empty", 0, 0),
    ] {
        tamper(
            &data,
            &format!(
                "UPDATE audit_events SET payload_offset = {offset}, payload_len = {len} WHERE id = {id}"
            ),
        );
        assert_payload_corrupt(&place, &data, id, case);
    }
}

#[test]
fn an_event_whose_line_is_not_json_is_named_and_never_left_out() {
    let place = Place::new();
    let data = place.small_data(100);
    let (id, offset, len) = newest(&data);
    let payloads = data.join("payloads.jsonl");
    let whole = std::fs::read(&payloads).unwrap();
    let last = offset + len - 2;
    for (case, at, bytes) in [
        ("a flipped byte where the value begins", offset, &b"z"[..]),
        ("a flipped byte where the value ends", last, &b"|"[..]),
        ("two values", last - 3, &b"\"}{}"[..]),
        ("two lines", last - 5, &b"\"}\n{ }"[..]),
        ("not UTF-8", last - 2, &b"\xff"[..]),
        ("no newline", last + 1, &b" "[..]),
    ] {
        patch(&payloads, at, bytes);
        assert_payload_corrupt(&place, &data, id, case);
        std::fs::write(&payloads, &whole).unwrap();
    }
    assert_eq!(code(&first_page(&place, &data, "keyset")), 0);
}

#[test]
fn a_flipped_byte_in_the_contracts_data_set_is_caught_by_the_demo() {
    let place = Place::new();
    let data = place.own_data();
    for (file, needle) in [("audit.db", &b"ORDER-"[..]), ("payloads.jsonl", &b"xxxx"[..])] {
        let path = data.join(file);
        let whole = std::fs::read(&path).unwrap();
        let middle = whole.len() / 3;
        let found = whole[middle..].windows(needle.len()).position(|bytes| bytes == needle).unwrap();
        patch(&path, u64::try_from(middle + found).unwrap(), b"Y");
        let ran = place.run(&data, &["--json", "demo", "--requests", "1"]);
        let error = error_of(&ran);
        assert_eq!((code(&ran), error["code"].as_str()), (2, Some("bad-log")), "{error}");
        assert!(error["where"].as_str().unwrap().ends_with(file), "{error}");
        std::fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_flipped_byte_in_the_database_is_caught_after_scratch_was_filled_too() {
    let place = Place::new();
    let data = place.small_data(2_000);
    let database = data.join("audit.db");
    assert_eq!(code(&first_page(&place, &data, "keyset")), 0);
    let whole = std::fs::read(&database).unwrap();
    let text = text_of_an_event(&data);

    // A page of the table becomes one of another kind, an event one of another action.
    patch(&database, 4096 * 4, b"\x07");
    let output = place
        .run(&data, &["--json", "verify", "keyset", "--reference", "native-baseline", "--requests", "50"]);
    assert_eq!((code(&output), error_of(&output)["code"].as_str()), (2, Some("bad-log")));
    std::fs::write(&database, &whole).unwrap();

    // No commit did that: the index is of what the log held before, and is made anew of what it holds now.
    let at = whole.windows(text.len()).position(|bytes| bytes == text.as_bytes()).unwrap();
    patch(&database, u64::try_from(at).unwrap(), b"N");
    let output =
        place.run(&data, &["verify", "keyset", "--reference", "native-baseline", "--requests", "50"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
}

/// The text columns, as they stand in the file, of an event of the middle.
fn text_of_an_event(data: &Path) -> String {
    let log = Connection::open(data.join("audit.db")).unwrap();
    let text = "SELECT action || resource_type || resource_id FROM audit_events WHERE id > 1000 LIMIT 1";
    log.query_row(text, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_payload_file_that_is_cut_short_during_a_conversation_is_a_typed_error() {
    for strategy in STRATEGIES {
        let place = Place::new();
        let data = place.small_data(2_000);
        let mut conversation = Conversation::start(&place, &data, strategy);
        conversation.ask(&whole_log(1, 50));
        std::fs::File::options()
            .write(true)
            .open(data.join("payloads.jsonl"))
            .unwrap()
            .set_len(1000)
            .unwrap();
        let (code, error) = conversation.try_ask(&whole_log(2, 50)).unwrap_err();
        assert_eq!((code, error["code"].as_str()), (2, Some("payload-corrupt")), "{strategy}: {error}");
    }
}

/// Puts another log in place of one, as a restore from a backup does: by rename.
fn replace(data: &Path, by: &Path) {
    for file in ["payloads.jsonl", "audit.db"] {
        std::fs::rename(by.join(file), data.join(file)).unwrap();
    }
}

fn seeded(place: &Place, name: &str, args: &[&str]) -> PathBuf {
    let folder = place.path(name);
    let made = place.run(&folder, &[&["seed"], args].concat());
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    folder
}

#[test]
fn a_log_that_is_replaced_by_another_during_a_conversation_is_read_from_the_next_page_on() {
    for strategy in STRATEGIES {
        let place = Place::new();
        let data = place.small_data(1_500);
        let other = seeded(&place, "other", &["--rows", "1400", "--now", "1700000000"]);
        let model = Model::of(&other);
        let mut conversation = Conversation::start(&place, &data, strategy);
        conversation.ask(&whole_log(1, 50));
        replace(&data, &other);
        conversation.assert_pages(&model, [1, 2, 28, 29]);
        conversation.end();
    }
}

#[test]
fn a_log_that_is_replaced_by_one_that_differs_in_the_middle_only_is_noticed() {
    for strategy in ["keyset", "native-keyset"] {
        let place = Place::new();
        let data = place.small_data(1_500);
        let other = seeded(&place, "other", &["--rows", "1500"]);
        tamper(
            &other,
            "UPDATE audit_events SET created_at = created_at - 900000 WHERE id BETWEEN 700 AND 900",
        );
        let model = Model::of(&other);
        let mut conversation = Conversation::start(&place, &data, strategy);
        conversation.ask(&whole_log(1, 50));
        replace(&data, &other);
        conversation.assert_pages(&model, 1..=30);
    }
}

#[test]
fn a_journal_left_by_a_killed_writer_needs_recovery_and_then_pages_again() {
    let place = Place::new();
    let data = place.small_data(2_000);
    let model = Model::of(&data);
    let mut conversation = Conversation::start(&place, &data, "keyset");
    conversation.ask(&whole_log(1, 50));

    let mut writer = Writer::start(&data);
    writer.order("spill");
    assert_eq!(writer.report()["spilled"], true);
    writer.kill();
    assert!(data.join("audit.db-journal").exists());
    let before = (digest(&data.join("audit.db")), digest(&data.join("audit.db-journal")));
    let (exit, error) = conversation.try_ask(&whole_log(1, 50)).unwrap_err();
    assert_eq!((exit, error["code"].as_str()), (2, Some("log-needs-recovery")), "{error}");
    for strategy in STRATEGIES {
        let error = refused(&first_page(&place, &data, strategy), 2, "log-needs-recovery");
        assert!(error["where"].as_str().unwrap().ends_with("audit.db"), "{error}");
        assert!(error["fix"].as_str().unwrap().contains("open the database once for writing"), "{error}");
    }
    assert_eq!(
        before,
        (digest(&data.join("audit.db")), digest(&data.join("audit.db-journal"))),
        "nothing is repaired"
    );

    drop(Writer::start(&data));
    for strategy in STRATEGIES {
        let mut conversation = Conversation::start(&place, &data, strategy);
        let query = whole_log(3, 50);
        assert_eq!(ids(&conversation.ask(&query)), model.ids(&query, i64::MAX), "{strategy}");
    }
}

#[test]
fn a_lock_that_is_held_long_is_busy_and_one_that_is_held_shortly_is_waited_for() {
    let place = Place::new();
    let data = place.small_data(1_500);
    assert_eq!(code(&first_page(&place, &data, "keyset")), 0);
    let mut conversations = STRATEGIES.map(|strategy| Conversation::start(&place, &data, strategy));
    for conversation in &mut conversations {
        conversation.ask(&whole_log(1, 20));
    }
    let mut writer = Writer::start(&data);
    writer.order("lock 0.3");
    assert_eq!(writer.report()["locked"], true);
    for conversation in &mut conversations {
        conversation.ask(&whole_log(2, 20));
    }
    assert_eq!(writer.report()["done"], true);

    writer.order("lock 60");
    assert_eq!(writer.report()["locked"], true);
    let began = Instant::now();
    refused(&first_page(&place, &data, "keyset"), 2, "busy");
    let (exit, error) = conversations[0].try_ask(&whole_log(3, 20)).unwrap_err();
    assert_eq!((exit, error["code"].as_str()), (2, Some("busy")), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    writer.kill();
    conversations[1].ask(&whole_log(3, 20));
}

#[test]
fn a_database_that_is_not_a_log_is_told_from_one() {
    let table = "CREATE TABLE audit_events AS SELECT * FROM kept; DROP TABLE kept;";
    let kept = "DROP INDEX idx_created_at; ALTER TABLE audit_events RENAME TO kept;";
    for (case, sql, said) in [
        ("no table", "DROP TABLE audit_events".to_owned(), "no table audit_events"),
        (
            "no column",
            "ALTER TABLE audit_events RENAME COLUMN payload_len TO length".to_owned(),
            "payload_len",
        ),
        ("a view", format!("{kept} CREATE VIEW audit_events AS SELECT * FROM kept"), "no table audit_events"),
        ("no index", "DROP INDEX idx_created_at".to_owned(), "no index idx_created_at"),
        (
            "an index on another column",
            "DROP INDEX idx_created_at; CREATE INDEX idx_created_at ON audit_events (actor_id)".to_owned(),
            "no index idx_created_at",
        ),
        ("a table without its key", format!("{kept} {table}"), "INTEGER PRIMARY KEY"),
    ] {
        let place = Place::new();
        let data = place.small_data(50);
        tamper(&data, &sql);
        for strategy in ["keyset", "native-baseline"] {
            let error = refused(&first_page(&place, &data, strategy), 2, "bad-log");
            assert!(error["message"].as_str().unwrap().contains(said), "{case}: {error}");
            assert!(error["where"].as_str().unwrap().ends_with("audit.db"), "{case}: {error}");
        }
    }
}

#[test]
fn a_file_that_is_no_database_is_told_from_one() {
    for content in [
        &b""[..],
        b"no database at all, but a text of more than a hundred bytes: not what is wanted here, \
        and long enough for a header",
    ] {
        let place = Place::new();
        let data = place.small_data(50);
        std::fs::write(data.join("audit.db"), content).unwrap();
        refused(&first_page(&place, &data, "keyset"), 2, "bad-log");
    }
}

//! The log itself turns hostile: its files are swapped, its schema carries code, its writer does not let go,
//! the disk is full. An error names the file; nothing is left out in silence. What is wrong with single
//! events and files is in `faults`.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::writer::{Conversation, Model, Writer, ids, whole_log};
use crate::support::{Place, STRATEGIES, binary, code, error_of, refused, stderr, stdout};

#[test]
fn a_symlink_in_place_of_a_file_is_refused_by_its_name() {
    for file in ["payloads.jsonl", "audit.db"] {
        let place = Place::new();
        let data = place.small_data(300);
        link_away(&place, &data, file);
        for strategy in STRATEGIES {
            let ran = place.run(&data, &["--json", "page", strategy]);
            let error = refused(&ran, 2, "bad-log");
            assert!(error["where"].as_str().unwrap().ends_with(file), "{error}");
        }
    }
}

#[test]
fn a_symlink_that_is_swapped_in_during_a_conversation_is_not_followed() {
    for strategy in STRATEGIES {
        for file in ["payloads.jsonl", "audit.db"] {
            let place = Place::new();
            let data = place.small_data(300);
            let mut conversation = Conversation::start(&place, &data, strategy);
            conversation.ask(&whole_log(1, 50));
            // A copy elsewhere: the very same content, and yet another file.
            std::fs::copy(data.join(file), place.path(file)).unwrap();
            std::fs::remove_file(data.join(file)).unwrap();
            symlink(place.path(file), data.join(file)).unwrap();
            let (exit, error) = conversation.try_ask(&whole_log(2, 50)).unwrap_err();
            assert_eq!((exit, error["code"].as_str()), (2, Some("bad-log")), "{strategy}, {file}: {error}");
        }
    }
}

fn link_away(place: &Place, data: &Path, file: &str) {
    std::fs::rename(data.join(file), place.path(file)).unwrap();
    symlink(place.path(file), data.join(file)).unwrap();
}

/// A payload file from a backup, put in place by rename, that is too short for the newest events.
#[test]
fn a_payload_file_that_is_replaced_alone_is_read_and_found_wanting() {
    for strategy in STRATEGIES {
        let place = Place::new();
        let data = place.small_data(300);
        let mut conversation = Conversation::start(&place, &data, strategy);
        conversation.ask(&whole_log(1, 50));
        let whole = std::fs::read(data.join("payloads.jsonl")).unwrap();
        std::fs::write(place.path("short"), &whole[..1000]).unwrap();
        std::fs::rename(place.path("short"), data.join("payloads.jsonl")).unwrap();
        let (exit, error) = conversation.try_ask(&whole_log(1, 50)).unwrap_err();
        assert_eq!((exit, error["code"].as_str()), (2, Some("payload-corrupt")), "{strategy}: {error}");
    }
}

/// Code in the log's schema: a trigger never fires, since nothing is written, and a view is never read; a
/// column that is computed is not one of the contract's.
#[test]
fn code_in_the_logs_schema_does_not_run() {
    let harmless = "CREATE TRIGGER t AFTER INSERT ON audit_events BEGIN DELETE FROM audit_events; END;
         CREATE VIEW v AS SELECT load_extension('x') FROM audit_events;
         ALTER TABLE audit_events ADD COLUMN bomb TEXT GENERATED ALWAYS AS (replace(hex(resource_id), '0', resource_id));";
    let place = Place::new();
    let data = place.small_data(300);
    let model = Model::of(&data);
    Connection::open(data.join("audit.db")).unwrap().execute_batch(harmless).unwrap();
    for strategy in STRATEGIES {
        let ran = place.run(&data, &["page", strategy, "--page", "2", "--page-size", "50"]);
        assert_eq!(code(&ran), 0, "{}", stderr(&ran));
        let page: Value = serde_json::from_str(&stdout(&ran)).unwrap();
        assert_eq!(ids(&page), model.ids(&whole_log(2, 50), i64::MAX), "{strategy}");
    }

    let place = Place::new();
    let data = place.small_data(50);
    let computed = "ALTER TABLE audit_events RENAME COLUMN resource_type TO kept;
         ALTER TABLE audit_events ADD COLUMN resource_type TEXT GENERATED ALWAYS AS (upper(kept));";
    Connection::open(data.join("audit.db")).unwrap().execute_batch(computed).unwrap();
    for strategy in STRATEGIES {
        let ran = place.run(&data, &["--json", "page", strategy]);
        let error = refused(&ran, 2, "bad-log");
        assert!(error["message"].as_str().unwrap().contains("resource_type"), "{strategy}: {error}");
    }
}

#[test]
fn a_writer_that_holds_its_lock_for_ten_seconds_makes_pages_busy_and_then_right_again() {
    let place = Place::new();
    let data = place.small_data(1_500);
    let model = Model::of(&data);
    let mut writer = Writer::start(&data);
    Conversation::start(&place, &data, "keyset").ask(&whole_log(1, 50));
    writer.order("lock 10");
    assert_eq!(writer.report()["locked"], true);
    let began = Instant::now();
    let mut busy = 0;
    while began.elapsed() < Duration::from_secs(3) {
        let ran = place.run(&data, &["--json", "page", "keyset"]);
        refused(&ran, 2, "busy");
        busy += 1;
    }
    assert!(busy > 0);
    assert_eq!(writer.report()["done"], true);
    for strategy in STRATEGIES {
        let query = whole_log(3, 50);
        let page = Conversation::start(&place, &data, strategy).ask(&query);
        assert_eq!(ids(&page), model.ids(&query, i64::MAX), "{strategy}");
    }
}

/// The cache lies on a disk of its own that is full: what needs scratch says so, what does not goes on.
#[test]
fn a_full_disk_for_scratch_is_an_error_of_scratch_alone() {
    let place = Place::new();
    let data = place.small_data(20_000);
    let cache = place.path("small-disk");
    std::fs::create_dir(&cache).unwrap();
    let run = |strategy: &str| {
        let mount = "mount -t tmpfs -o size=512k tmpfs \"$0\" && exec \"$@\"";
        Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", mount])
            .arg(&cache)
            .arg(binary())
            .args(["--json", "page", strategy, "--page-size", "5", "--data"])
            .arg(&data)
            .env("KEYHOLE_CACHE", &cache)
            .env("KEYHOLE_STATE", place.path("state"))
            .output()
            .unwrap()
    };
    let ran = run("baseline");
    if stderr(&ran).contains("unshare") || stderr(&ran).contains("mount") {
        println!("skipped: this system gives no small disk to a test ({})", stderr(&ran).trim());
        return;
    }
    assert_eq!(code(&ran), 0, "{}", stderr(&ran));
    for strategy in ["keyset", "native-keyset"] {
        let ran = run(strategy);
        let error = error_of(&ran);
        assert_eq!((error["code"].as_str(), stdout(&ran).as_str()), (Some("scratch-full"), ""), "{strategy}");
    }
}

//! What goes wrong is said once, in words or as JSON, with the exit code that belongs to it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::foreign::log_with_ties;
use crate::support::{Place, code, stderr, stdout};

/// Runs the binary both ways and asserts that it fails with this code and these words. Returns the
/// error as JSON.
fn fails(place: &Place, log: &Path, args: &[&str], exit: i32, error: &str, words: &str) -> Value {
    let plain = place.run(log, args);
    let said = stderr(&plain);
    assert_eq!(code(&plain), exit, "{args:?}: {said}");
    assert_eq!(stdout(&plain), "", "an error belongs on standard error: {args:?}");
    assert!(said.contains(words), "{args:?}: {words:?} is not in {said}");

    let json = place.run(log, &[&["--json"], args].concat());
    assert_eq!(code(&json), exit, "{args:?}");
    assert_eq!(stdout(&json), "", "{args:?}");
    let said = stderr(&json);
    let object: Value =
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{args:?}: {error}: {said}"));
    let fields: Vec<&String> = object.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["code", "fix", "message", "where"], "{args:?}");
    assert_eq!(object["code"], error, "{args:?}: {said}");
    assert!(object["message"].as_str().unwrap().contains(words), "{args:?}: {words:?} is not in {said}");
    object
}

#[test]
fn misuse_is_exit_code_2_in_words_and_as_json() {
    let place = Place::new();
    let log = log_with_ties(&place);
    for (args, words) in [
        (&["pgae"][..], "unrecognized subcommand 'pgae'"),
        (&["page"], "<STRATEGY>"),
        (&["page", "keyset", "--pagesize", "3"], "--pagesize"),
        (&["page", "keyset", "--page", "0"], "--page"),
        (&["page", "keyset", "--page", "1", "--after", "x"], "cannot be used with"),
        (&["page", "keyset", "--queries", "-", "--actor", "3"], "cannot be used with"),
        (&["page", "keyset", "--page-size", "1001"], "page_size must be from 1 to 1000"),
        (&["page", "keyset", "--from", "yesterday"], "neither Unix seconds nor an RFC 3339 time"),
        (&["page", "keyset", "--instances", "warm:0"], "warm takes a number of uses"),
        (&["page", "keyset", "--instances", "hot"], "neither fresh nor warm"),
        (&["bench", "--mix", "sparse"], "there is no mix \"sparse\""),
        (&["bench", "--concurrency", "0"], "at least 1"),
        (&["verify", "--requests", "-1"], "-1"),
    ] {
        fails(&place, &log, args, 2, "bad-request", words);
    }
}

#[test]
fn an_unknown_strategy_is_named_with_those_that_exist() {
    let place = Place::new();
    let log = log_with_ties(&place);
    for args in
        [&["page", "keysett"][..], &["verify", "keysett"], &["inspect", "keysett"], &["bench", "keysett"]]
    {
        let error = fails(&place, &log, args, 2, "no-such-strategy", "there is no strategy named keysett");
        assert!(error["fix"].as_str().unwrap().contains("native-baseline"), "{error}");
    }
    let absent = fails(&place, &log, &["page", "./absent.wasm"], 2, "io", "No such file");
    assert_eq!(absent["where"], "./absent.wasm");
}

#[test]
fn a_file_that_is_no_strategy_is_refused_with_a_reason() {
    let place = Place::new();
    let log = log_with_ties(&place);
    std::fs::create_dir(place.path("folder.wasm")).unwrap();
    std::fs::write(place.path("empty.wasm"), "").unwrap();
    for (file, words) in [("./folder.wasm", "not a regular file"), ("./empty.wasm", "the file is empty")] {
        let error = fails(&place, &log, &["page", file], 1, "refused", words);
        assert_eq!(error["where"], file);
    }
}

#[test]
fn an_unreadable_log_is_named_with_what_is_wrong_with_it() {
    let place = Place::new();
    let whole = log_with_ties(&place);
    let without = |sql: &str, name: &str| {
        let log = copy(&place, &whole, name);
        rusqlite::Connection::open(log.join("audit.db")).unwrap().execute_batch(sql).unwrap();
        log
    };
    let text = copy(&place, &whole, "text");
    std::fs::write(text.join("audit.db"), "id,created_at,actor_id\n".repeat(400)).unwrap();
    let folder = copy(&place, &whole, "folder");
    std::fs::remove_file(folder.join("audit.db")).unwrap();
    std::fs::create_dir(folder.join("audit.db")).unwrap();
    let folder_of_payloads = copy(&place, &whole, "folder-of-payloads");
    std::fs::remove_file(folder_of_payloads.join("payloads.jsonl")).unwrap();
    std::fs::create_dir(folder_of_payloads.join("payloads.jsonl")).unwrap();
    let no_payloads = copy(&place, &whole, "no-payloads");
    std::fs::remove_file(no_payloads.join("payloads.jsonl")).unwrap();
    let empty = copy(&place, &whole, "empty");
    std::fs::write(empty.join("audit.db"), "").unwrap();

    for (log, error, words, file) in [
        (place.path("nowhere"), "no-log", "there is no log", "nowhere/audit.db"),
        (no_payloads, "io", "No such file", "payloads.jsonl"),
        (text, "bad-log", "not a database", "audit.db"),
        (folder, "bad-log", "not a regular file", "audit.db"),
        (folder_of_payloads, "bad-log", "not a regular file", "payloads.jsonl"),
        (empty, "bad-log", "no table audit_events", "audit.db"),
        (without("DROP TABLE audit_events", "no-table"), "bad-log", "no table audit_events", "audit.db"),
        (without("DROP INDEX idx_created_at", "no-index"), "bad-log", "no index idx_created_at", "audit.db"),
    ] {
        for verb in [&["page", "keyset"][..], &["page", "native-baseline"], &["verify"], &["bench"]] {
            let said = fails(&place, &log, verb, 2, error, words);
            assert!(said["where"].as_str().unwrap().ends_with(file), "{said}");
        }
    }
}

#[test]
fn a_log_that_is_no_log_is_not_altered_by_the_attempt() {
    let place = Place::new();
    let log = place.path("empty");
    std::fs::create_dir(&log).unwrap();
    for file in ["audit.db", "payloads.jsonl"] {
        std::fs::write(log.join(file), "").unwrap();
    }
    assert_eq!(code(&place.run(&log, &["page", "keyset"])), 2);
    for entry in log.read_dir().unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().len(), 0);
    }
    assert_eq!(log.read_dir().unwrap().count(), 2);
}

#[test]
fn seed_never_overwrites() {
    let place = Place::new();
    for name in ["audit.db", "payloads.jsonl"] {
        let folder = place.path(name).with_extension("folder");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(name), "precious").unwrap();
        fails(&place, &folder, &["seed", "--rows", "10"], 2, "bad-request", "exists already");
        assert_eq!(std::fs::read_to_string(folder.join(name)).unwrap(), "precious");
        assert_eq!(folder.read_dir().unwrap().count(), 1, "nothing was put beside it");
    }
}

fn copy(place: &Place, log: &Path, name: &str) -> PathBuf {
    let copy = place.path(name);
    let copied = Command::new("cp").arg("-r").arg(log).arg(&copy).status().unwrap();
    assert!(copied.success());
    copy
}

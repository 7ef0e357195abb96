//! The log's two files: those that `seed` makes, and those that the live system's writer makes.

use super::answers_match;
use crate::support::foreign::{facts, odd_log};
use crate::support::{Place, code, data, digest, stderr, stdout};

const PAYLOADS_DIGEST: &str = "7e9120858b688cdd6d73c4277a1d8e21c5dae1134b3735538409b914f0dd0d38";
const ROWS_DIGEST: &str = "adea431ef0ebb918d38cfad82b2e3db4a31a4be7abd5772315c811dd328c412a";

#[test]
fn seed_makes_the_contracts_data_set_byte_for_byte() {
    let place = Place::new();
    let folder = place.path("made");
    let made = place.run(&folder, &["seed", "--now", "1767052800", "--json"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let said: serde_json::Value = serde_json::from_str(&stdout(&made)).unwrap();
    assert_eq!(said["payload_digest"], PAYLOADS_DIGEST);
    assert_eq!(said["rows_digest"], ROWS_DIGEST);
    assert_eq!(said["matches_contract"], true);

    // The same again from outside: nothing here trusts what was said.
    assert_eq!(digest(&folder.join("payloads.jsonl")), PAYLOADS_DIGEST);
    assert_eq!(folder.join("payloads.jsonl").metadata().unwrap().len(), 61_024_030);
    let facts = facts(&folder);
    assert_eq!(facts["rows"], ROWS_DIGEST);
    assert_eq!(facts["integrity_check"], "ok");
    assert_eq!(facts["journal_mode"], "delete");
    assert_eq!(facts["page_size"], 4096);
    assert_eq!(facts["encoding"], "UTF-8");
    assert_eq!(facts["objects"], serde_json::json!(["audit_events", "idx_created_at", "sqlite_sequence"]));
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["audit.db", "payloads.jsonl"]);
}

#[test]
fn another_now_moves_the_rows_and_leaves_the_payloads() {
    let place = Place::new();
    let folder = place.path("made");
    let made = place.run(&folder, &["seed", "--now", "2025-12-30T00:00:01Z"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    assert_eq!(digest(&folder.join("payloads.jsonl")), PAYLOADS_DIGEST);
    assert_ne!(facts(&folder)["rows"], ROWS_DIGEST);
}

#[test]
fn files_of_the_live_systems_writer_are_paged_rightly_and_left_as_they_were() {
    let place = Place::new();
    let (log, answers) = odd_log(&place);
    let digests = || ["audit.db", "payloads.jsonl"].map(|file| digest(&log.join(file)));
    let before = digests();
    let held = |answer: &serde_json::Value| answer["count"] != 0;
    let non_empty = answers.lines().filter(|line| held(&serde_json::from_str(line).unwrap())).count();
    assert!(non_empty > 100, "only {non_empty} pages hold anything");
    for strategy in ["baseline", "keyset", "native-baseline", "native-keyset"] {
        answers_match(&place, &log, &answers, strategy, "fresh");
    }
    answers_match(&place, &log, &answers, "keyset", "warm");
    assert_eq!(digests(), before);
    assert_eq!(log.read_dir().unwrap().count(), 2, "nothing is left beside the log");
}

#[test]
fn files_that_may_only_be_read_are_enough() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let (log, answers) = odd_log(&place);
    for file in ["audit.db", "payloads.jsonl", "."] {
        let path = log.join(file);
        let mode = if file == "." { 0o555 } else { 0o444 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    answers_match(&place, &log, &answers, "keyset", "fresh");
    std::fs::set_permissions(&log, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn verify_and_bench_leave_the_log_as_it_was() {
    let place = Place::new();
    let digests = || ["audit.db", "payloads.jsonl"].map(|file| digest(&data().join(file)));
    let before = digests();
    for args in [
        &["verify", "native-keyset", "--reference", "keyset", "--requests", "20"][..],
        &["bench", "native-keyset", "keyset", "--requests", "20", "--warmup", "2", "--rounds", "2"],
    ] {
        let ran = place.run(data(), args);
        assert_eq!(code(&ran), 0, "{}", stderr(&ran));
    }
    assert_eq!(digests(), before);
}

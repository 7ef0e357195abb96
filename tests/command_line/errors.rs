//! What goes wrong is said once, in words or as JSON, with the exit code that belongs to it.

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use super::with_log;
use crate::support::snapshots::assert_snapshot;
use crate::support::{Place, code, stderr, stdout};

/// Runs the binary in words and as JSON, and returns what both say and their exit code.
fn failure(place: &Place, log: &Path, args: &[&str]) -> String {
    let [plain, json] = [&[][..], &["--json"]].map(|switch| place.run(log, &[switch, args].concat()));
    assert_eq!(stdout(&plain) + &stdout(&json), "", "an error belongs on standard error: {args:?}");
    assert_eq!(code(&plain), code(&json), "{args:?}");
    let object: Map<String, Value> = serde_json::from_str(&stderr(&json)).unwrap();
    assert!(object.keys().eq(["code", "fix", "message", "where"]), "{args:?}: {object:?}");
    let said = format!("$ keyhole {}\n{}{}", args.join(" "), stderr(&plain), stderr(&json));
    said.replace(place.path("").to_str().unwrap(), "[PLACE]/") + &format!("exit {}\n\n", code(&plain))
}

/// Asserts what is said of each of these command lines on a log.
fn fails(name: &str, place: &Place, log: &Path, lines: &[&str]) -> String {
    let split = |line: &&str| failure(place, log, &line.split(' ').collect::<Vec<_>>());
    let said = lines.iter().map(split).collect::<String>();
    assert_snapshot(name, &said);
    said
}

#[test]
fn misuse_is_exit_code_2_in_words_and_as_json() {
    let (place, log) = with_log();
    let lines = [
        "pgae",
        "page",
        "page keyset --pagesize 3",
        "page keyset --page 0",
        "page keyset --page 1 --after x",
        "page keyset --queries - --actor 3",
        "page keyset --page-size 1001",
        "page keyset --from yesterday",
        "page keyset --instances warm:0",
        "page keyset --instances hot",
        "bench --mix sparse",
        "bench --concurrency 0",
        "verify --requests -1",
    ];
    fails("errors-misuse", &place, &log, &lines);
}

#[test]
fn what_is_no_strategy_is_named_with_a_reason_or_with_those_that_exist() {
    let (place, log) = with_log();
    std::fs::create_dir(place.path("folder.wasm")).unwrap();
    std::fs::write(place.path("empty.wasm"), "").unwrap();
    let lines = [
        "page keysett",
        "verify keysett",
        "inspect keysett",
        "bench keysett",
        "page ./absent.wasm",
        "page ./folder.wasm",
        "page ./empty.wasm",
    ];
    fails("errors-strategies", &place, &log, &lines);
}

/// What the system says is put into words, in one place: no error shows the system's number, a file that is missing is said
/// to be, with what to do, and a component that is missing has the code of a strategy that is.
#[test]
fn a_file_that_is_missing_is_said_to_be() {
    let (place, log) = with_log();
    std::fs::create_dir(place.path("folder.wasm")).unwrap();
    let lines = [
        "page absent.wasm",
        "page ./absent",
        "page ./absent/x.wasm",
        "verify keyset --reference absent.wasm",
        "bench absent.wasm-warm",
        "audit absent.wasm",
        "inspect absent.wasm",
        "diff absent.wasm keyset",
        "diff absent.json keyset",
        "--policy absent.toml policy allow absent.wasm --as fast --by me --reason test --yes",
        "--policy absent.toml page keyset",
        "policy check absent.toml",
        "page keyset --queries absent.jsonl",
        "page keyset --out absent/page.json",
        "report absent.json --out x.html",
        "strategy list --admin absent.sock",
        "serve --token-file absent",
    ];
    let said = fails("errors-files", &place, &log, &lines);
    assert!(!said.contains("os error"), "{said}");
    for line in said.lines().filter(|line| line.starts_with('{')) {
        let error: Value = serde_json::from_str(line).unwrap();
        assert!(error["fix"].is_string(), "it does not say what to do: {line}");
        let is_component = error["message"].as_str().unwrap().contains("there is no strategy");
        assert_eq!(error["code"] == "no-such-strategy", is_component, "{line}");
    }
}

#[test]
fn an_unreadable_log_is_named_with_what_is_wrong_with_it() {
    let (place, whole) = with_log();
    let broken = [
        ("nowhere", "rm audit.db payloads.jsonl", ""),
        ("no-payloads", "rm payloads.jsonl", ""),
        ("text", "yes id,created_at,actor_id | head -400 > audit.db", ""),
        ("folder", "rm audit.db; mkdir audit.db", ""),
        ("folder-of-payloads", "rm payloads.jsonl; mkdir payloads.jsonl", ""),
        ("empty", ": > audit.db", ""),
        ("no-table", "", "DROP TABLE audit_events"),
        ("no-index", "", "DROP INDEX idx_created_at"),
    ];
    let mut said = String::new();
    for (name, shell, sql) in broken {
        let log = place.path(name);
        assert!(Command::new("cp").arg("-r").args([&whole, &log]).status().unwrap().success());
        assert!(Command::new("sh").args(["-c", shell]).current_dir(&log).status().unwrap().success());
        if !sql.is_empty() {
            rusqlite::Connection::open(log.join("audit.db")).unwrap().execute_batch(sql).unwrap();
        }
        for verb in [&["page", "keyset"][..], &["page", "native-baseline"], &["verify"], &["bench"]] {
            said += &failure(&place, &log, verb);
        }
    }
    // Nor is there one in a folder that is not there.
    said += &failure(&place, &place.path("absent"), &["page", "keyset"]);
    assert_snapshot("errors-logs", &said);
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
        let said = failure(&place, &folder, &["seed", "--rows", "10"]);
        assert!(said.contains("exists already") && said.ends_with("exit 2\n\n"), "{said}");
        assert_eq!(std::fs::read_to_string(folder.join(name)).unwrap(), "precious");
        assert_eq!(folder.read_dir().unwrap().count(), 1, "nothing was put beside it");
    }
}

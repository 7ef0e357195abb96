//! WASI: refused at load by name unless it is granted, and if granted, inert.

use std::path::Path;
use std::time::{Duration, Instant};

use keyhole_lab::selftest::cases::newest;
use keyhole_lab::selftest::zoo;
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::grants::Grants;
use keyhole_log::grants::Instances;
use keyhole_log::model::Pager;
use keyhole_runtime::page::Worker;
use keyhole_runtime::strategy::Strategy;

use super::reasons;
use crate::support::{Place, engine, guest, memory, refused};

/// The strategies that import something of WASI that can be granted, with what they import.
const GRANTABLE: [(&str, &str); 12] = [
    ("wasi-arguments", "wasi:cli/environment"),
    ("wasi-clocks", "wasi:clocks/wall-clock"),
    ("wasi-empty-writes", "wasi:cli/stdout"),
    ("wasi-environment", "wasi:cli/environment"),
    ("wasi-exit", "wasi:cli/exit"),
    ("wasi-many-streams", "wasi:cli/stdout"),
    ("wasi-poll", "wasi:io/poll"),
    ("wasi-random", "wasi:random/random"),
    ("wasi-random-flood", "wasi:random/random"),
    ("wasi-stderr", "wasi:cli/stderr"),
    ("wasi-stdin", "wasi:cli/stdin"),
    ("wasi-stdout", "wasi:cli/stdout"),
];

/// Those whose import no policy can grant, and why.
const NEVER: [(&str, &str, &str); 7] = [
    ("newer-version", "keyhole:strategy/log@0.2.0", "this host offers version 0.1.0"),
    ("no-such-interface", "wasi:cli/telepathy@0.2.6", "which this host does not know"),
    ("older-version", "keyhole:strategy/log@0.0.9", "this host offers version 0.1.0"),
    ("wasi-filesystem", "wasi:filesystem/preopens@0.2.6", "reaches beyond the sandbox"),
    ("wasi-http", "wasi:http/types@0.2.6", "reaches beyond the sandbox"),
    ("wasi-sockets", "wasi:sockets/instance-network@0.2.6", "reaches beyond the sandbox"),
    ("wrong-types", "", "its types are not those of the package"),
];

fn component(name: &str) -> Vec<u8> {
    zoo::component(name).unwrap_or_else(|| panic!("{name} is not in the zoo"))
}

#[test]
fn each_import_that_is_not_granted_is_refused_by_name() {
    let place = Place::new();
    let data = place.small_data(50);
    for (name, import) in GRANTABLE {
        let ran = place.run(&data, &["page", guest(name).to_str().unwrap(), "--json"]);
        let error = refused(&ran, 1, "refused");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("it imports {import}@0.2.6, which is not granted")),
            "{name}: {message}"
        );
        let line = message.split("wasi = [").nth(1).unwrap_or_default();
        assert!(line.contains(import) && line.contains("would grant"), "{name}: {message}");
    }
}

#[test]
fn what_no_policy_can_grant_is_refused_for_ever() {
    let engine = engine();
    for (name, import, why) in NEVER {
        for grants in [Grants::local(), Grants { wasi: vec!["inert"], ..Grants::local() }] {
            let bytes = component(name);
            let refused = Strategy::load(&engine, name, Path::new(name), &bytes, grants);
            let Err(Error::Refused { reasons, .. }) = refused else { panic!("{name} is let in") };
            assert!(
                reasons.iter().any(|reason| reason.contains(import) && reason.contains(why)),
                "{name}: {reasons:?}"
            );
            assert!(!reasons.iter().any(|reason| reason.contains("would grant")), "{name}: {reasons:?}");
        }
    }
}

#[test]
fn the_lines_that_are_printed_grant_what_is_asked_for() {
    let engine = engine();
    for (name, _) in GRANTABLE {
        let reasons = reasons(&engine, &component(name));
        let line = reasons.iter().find_map(|reason| reason.strip_prefix("wasi = [")).unwrap();
        let names = line.split(']').next().unwrap();
        let wasi: Vec<&'static str> = keyhole_log::grants::WASI
            .into_iter()
            .filter(|known| names.split(", ").any(|name| name.trim_matches('"') == *known))
            .collect();
        assert!(!wasi.is_empty());
        let grants = Grants { wasi, ..Grants::local() };
        assert!(Strategy::load(&engine, name, Path::new(name), &component(name), grants).is_ok(), "{name}");
    }
}

/// What came of a request to a strategy with all that is inert, and what it left in the ledger.
struct Outcome {
    result: Result<usize, Error>,
    notes: String,
    used: Vec<&'static str>,
    time: Duration,
}

fn granted(name: &str) -> Outcome {
    let place = Place::new();
    let log = Log::open(&place.small_data(50)).unwrap();
    let engine = engine();
    let grants = Grants { wasi: vec!["inert"], ..Grants::local() };
    let strategy = Strategy::load(&engine, name, Path::new(name), &component(name), grants).unwrap();
    let mut worker = Worker::new(&engine, &strategy, Instances::Fresh, &log, None);
    // A window without events: these strategies answer with none.
    let mut request = newest(10);
    (request.filter.from_ts, request.filter.to_ts) = (1, 2);
    let began = Instant::now();
    let result = worker.page(&request).map(|page| page.len());
    let time = began.elapsed();
    let ledger = worker.ledger().unwrap();
    Outcome { result, notes: ledger.notes().to_owned(), used: ledger.wasi().collect(), time }
}

#[test]
fn what_is_granted_is_inert() {
    for (name, used) in [
        ("wasi-arguments", "wasi:cli/environment"),
        ("wasi-clocks", "wasi:clocks/monotonic-clock"),
        ("wasi-environment", "wasi:cli/environment"),
        ("wasi-random", "wasi:random/insecure-seed"),
        ("wasi-stdin", "wasi:cli/stdin"),
    ] {
        // Each looks for itself, and traps where it finds more than it should.
        let outcome = granted(name);
        assert_eq!(outcome.result.unwrap(), 0, "{name}");
        assert!(outcome.used.contains(&used), "{name}: {:?}", outcome.used);
    }
}

#[test]
fn output_ends_escaped_and_cut_in_the_notes() {
    for name in ["wasi-stdout", "wasi-stderr"] {
        let outcome = granted(name);
        assert_eq!(outcome.result.unwrap(), 0, "{name}");
        assert!(outcome.notes.starts_with("\\u{1b}[31mred\\r\\n!!"), "{name}: {}", outcome.notes);
        assert!(outcome.notes.len() <= keyhole_log::limits::NOTE_BYTES, "{name}");
    }
}

#[test]
fn what_would_end_or_overrun_the_host_ends_the_strategy() {
    for (name, code, words) in [
        ("wasi-exit", "trapped", "Exited with i32 exit status 0"),
        ("wasi-random-flood", "trapped", "exceeds limit 4096"),
        ("wasi-many-streams", "trapped", ""),
        ("wasi-poll", "trapped", "waits for a clock that stands still"),
        ("wasi-empty-writes", "budget", "guest_time"),
    ] {
        let outcome = granted(name);
        let error = outcome.result.unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(error.to_string().contains(words), "{name}: {error}");
        assert!(outcome.time < Duration::from_secs(10), "{name}: {:?}", outcome.time);
    }
}

#[test]
fn a_flood_of_empty_writes_costs_no_memory() {
    granted("wasi-empty-writes").result.unwrap_err();
    let before = memory("VmRSS");
    for _ in 0..5 {
        granted("wasi-empty-writes").result.unwrap_err();
    }
    let grown = memory("VmRSS").saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
}

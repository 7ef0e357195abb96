//! The checks are checked: each strategy that is wrong on purpose is caught and called by its name, and
//! an honest one is never refused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyhole_lab::selftest::cases::{self, Case, Group};
use serde_json::Value;

use crate::support::answers::{pages, run_unhurried};
use crate::support::foreign::log_with_ties;
use crate::support::{Place, binary, code, guest, stderr, stdout};

/// The lies of the table of attacks.
fn lies() -> impl Iterator<Item = &'static Case> {
    cases::all().filter(|case| case.group == Group::Returns)
}

#[test]
fn verify_names_every_lie_of_the_table() {
    let (place, log) = a_log();
    for Case { name, .. } in lies() {
        let report = verify(&place, &log, name, &[], 1);
        assert_eq!(kinds(&report), BTreeSet::from([format!("lie:{name}")]));
    }
}

#[test]
fn a_lie_on_a_page_stops_a_conversation_at_its_line() {
    let (place, log) = a_log();
    let queries = place.path("queries.jsonl");
    // Without an actor there is nothing to get wrong.
    let line = |actor| {
        format!(r#"{{"from_ts": 0, "to_ts": 2000000000, "actor_id": {actor}, "page": 1, "page_size": 5}}"#)
    };
    std::fs::write(&queries, [line("null"), line("3"), line("null")].join("\n")).unwrap();
    let ran = page(&place, &log, "wrong-actor", &["--queries", queries.to_str().unwrap()]);
    assert_eq!((code(&ran), stdout(&ran).lines().count()), (1, 1), "{}", stderr(&ran));
    assert!(
        stderr(&ran).contains("line 2 of ") && stderr(&ran).contains("(wrong-actor)"),
        "{}",
        stderr(&ran)
    );
}

#[test]
fn an_honest_strategy_is_never_refused() {
    let (place, log) = a_log();
    for instances in ["fresh", "warm"] {
        let report = verify(&place, &log, "honest", &["--instances", instances], 0);
        assert_eq!((&report["equal"], kinds(&report).len()), (&true.into(), 0));
        assert!(report["non_empty"].as_u64().unwrap() > 300, "{report}");
    }
    let queries = place.path("queries.jsonl");
    let requests = lies().map(|case| serde_json::to_string(&case.request()).unwrap() + "\n");
    std::fs::write(&queries, requests.collect::<String>()).unwrap();
    let (strategy, queries) = (guest("honest"), queries.to_str().unwrap());
    let honest = pages(&place, &log, &[strategy.to_str().unwrap(), "--queries", queries]);
    assert_eq!(honest, pages(&place, &log, &["native-baseline", "--queries", queries]));
}

#[test]
fn a_handle_of_another_call_is_caught_in_a_warm_instance_and_harmless_in_a_fresh_one() {
    let (place, log) = a_log();
    let warm = verify(&place, &log, "handle-of-other-call", &["--instances", "warm"], 1);
    assert_eq!(kinds(&warm), BTreeSet::from(["handle".to_owned()]));
    let fresh = verify(&place, &log, "handle-of-other-call", &[], 0);
    assert_eq!(kinds(&fresh), BTreeSet::new());
}

#[test]
fn a_strategy_that_spins_is_cut_off_by_its_guest_time() {
    let (place, log) = a_log();
    let report = verify(&place, &log, "spin-in-page", &[], 1);
    assert_eq!(kinds(&report), BTreeSet::from(["budget".to_owned()]));
    let subject = findings(&report)[0]["subject"]["message"].clone();
    assert!(subject.as_str().unwrap().contains("guest_time"), "{subject}");
}

#[test]
fn a_trap_is_reported_and_the_ledger_tells_the_panics_message_file_and_line() {
    let (place, log) = a_log();
    let report = verify(&place, &log, "trap-in-mid-page", &[], 1);
    assert_eq!(kinds(&report), BTreeSet::from(["trapped".to_owned()]));

    let ran = page(&place, &log, "trap-in-mid-page", &["--page-size", "10", "--ledger"]);
    assert_eq!((code(&ran), stdout(&ran)), (1, String::new()));
    // A note is broken where the line ends.
    let said = stderr(&ran).split_whitespace().collect::<Vec<_>>().join(" ");
    let source = include_str!("guests/src/behaviours/trap_in_mid_page.rs");
    let line = source.lines().position(|line| line.contains("assert!(")).unwrap() + 1;
    for words in [
        "the strategy trapped",
        &format!("trap_in_mid_page.rs:{line}:"),
        "half of the page is read, 5 events",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    assert!(!said.contains("/tests/guests/src"), "no path of the machine that built it: {said}");

    let ran = page(&place, &log, "trap-in-mid-page", &["--page-size", "10", "--ledger", "--json"]);
    let lines: Vec<Value> = stderr(&ran).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines[0]["ledger"]["notes"].as_str().unwrap().contains("half of the page is read, 5 events"));
    assert_eq!(lines[1]["code"], "trapped");

    let ran = page(&place, &log, "trap-in-mid-page", &["--page-size", "10"]);
    assert!(!stderr(&ran).contains("half of the page"), "a guest's text goes to the ledger alone");
}

/// The page behind the last 100 events is empty, as after an early end.
#[test]
fn a_stale_page_is_told_from_an_early_end_even_where_it_is_empty() {
    let place = Place::new();
    let log = place.small_data(20_000);
    let queries = place.path("queries.jsonl");
    let last = r#"{"from_ts": 0, "to_ts": 2000000000, "page": 20000, "page_size": 1}"#;
    std::fs::write(&queries, last).unwrap();
    for (name, kind) in [("stale-page", "lie:stale-page"), ("early-end", "lie:early-end")] {
        let strategy = guest(name);
        let args =
            ["verify", strategy.to_str().unwrap(), "--reference", "native-baseline", "--json", "--queries"];
        let ran = run_unhurried(&place, &log, &[&args[..], &[queries.to_str().unwrap()]].concat());
        assert_eq!(code(&ran), 1, "{}", stderr(&ran));
        let report: Value = serde_json::from_str(&stdout(&ran)).unwrap();
        assert_eq!(kinds(&report), BTreeSet::from([kind.to_owned()]));
    }
}

#[test]
fn a_difference_is_shown_from_both_sides_and_can_be_repeated() {
    let (place, log) = a_log();
    let strategy = guest("early-end");
    let args = ["verify", strategy.to_str().unwrap(), "--reference", "native-keyset", "--requests", "20"];
    let ran = run_unhurried(&place, &log, &args);
    let said = stdout(&ran);
    assert_eq!(code(&ran), 1, "{}", stderr(&ran));
    assert!(said.ends_with("differs: lie:early-end\n"), "{said}");
    for words in
        ["lie:early-end in stream dense", "  smallest   {", "  subject    ", "  reference  ", "  repeat     "]
    {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    let repeat = said.lines().find_map(|line| line.trim_start().strip_prefix("repeat")).unwrap();
    let path = format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let again = Command::new("sh")
        .args(["-c", repeat.trim()])
        .envs([("PATH", path.as_str()), ("KEYHOLE_DATA", log.to_str().unwrap())])
        .env("KEYHOLE_STATE", place.path("state"))
        .env("KEYHOLE_CACHE", place.path("cache"))
        .output()
        .unwrap();
    assert_eq!(code(&again), 1, "{}", stderr(&again));
    assert!(stdout(&again).ends_with("differs: lie:early-end\n"), "{}", stdout(&again));
}

/// A log in which every lie has its place: several events a second, few actors.
fn a_log() -> (Place, PathBuf) {
    let place = Place::new();
    let log = log_with_ties(&place);
    (place, log)
}

fn verify(place: &Place, log: &Path, name: &str, options: &[&str], exit: i32) -> Value {
    let strategy = guest(name);
    let args = [
        "verify",
        strategy.to_str().unwrap(),
        "--reference",
        "native-keyset",
        "--requests",
        "40",
        "--json",
        "--quiet",
    ];
    let ran = place.run(log, &[&args[..], options].concat());
    assert_eq!(code(&ran), exit, "{name}: {}{}", stderr(&ran), stdout(&ran));
    assert_eq!(stderr(&ran), "");
    serde_json::from_str(&stdout(&ran)).unwrap()
}

fn page(place: &Place, log: &Path, name: &str, options: &[&str]) -> std::process::Output {
    run_unhurried(place, log, &[&["page", guest(name).to_str().unwrap()], options].concat())
}

fn findings(report: &Value) -> Vec<Value> {
    let of_stream = |stream: &Value| stream["differences"].as_array().unwrap().clone();
    report["streams"].as_array().unwrap().iter().flat_map(of_stream).collect()
}

/// What the differences were called.
fn kinds(report: &Value) -> BTreeSet<String> {
    findings(report).iter().map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
}

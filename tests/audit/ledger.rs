//! The facts behind the screen: what was used, fuel, determinism, and the exit code.

use super::{a_log, audit, findings, named};
use crate::support::{code, stderr, stdout};

#[test]
fn a_strategy_that_the_program_carries_is_right_and_deterministic() {
    let (place, log) = a_log();
    for strategy in ["keyset", "baseline"] {
        let (audit, ran) = audit(&place, &log, strategy, &[]);
        assert_eq!(code(&ran), 0, "{strategy}: {}", audit["findings"]);
        assert_ne!(audit["verdict"], "unfit");
        assert_eq!(audit["correctness"]["equal"], true);
        let determinism = &audit["determinism"];
        for circumstance in ["same_across_processes", "same_fuel_across_processes", "same_in_used_slot"] {
            assert_eq!(determinism[circumstance], true, "{strategy}: {determinism}");
        }
        assert!(audit["cost"].as_array().unwrap().iter().all(|cost| cost["fuel"].as_u64() > Some(0)));
        let statements = audit["used"]["statements"].as_array().unwrap();
        let planned = |statement: &serde_json::Value| {
            statement["runs"].as_u64() > Some(0) && !statement["plan"].as_array().unwrap().is_empty()
        };
        assert!(statements.iter().any(planned), "{strategy}");
        // The keyset strategy's pages read its own tables alone where nothing is uncovered.
        let columns = audit["used"]["columns"].as_array().unwrap();
        assert!(strategy == "keyset" || !columns.is_empty(), "{strategy}");
    }
}

#[test]
fn what_refreshes_did_is_told_apart_from_pages() {
    let (place, log) = a_log();
    let (audit, _) = audit(&place, &log, "keyset", &[]);
    let scratch = &audit["scratch"];
    assert_eq!(scratch["events"], super::EVENTS);
    assert!(scratch["vm_steps"].as_u64() > Some(super::EVENTS), "{scratch}");
    let texts = |list: &serde_json::Value| list.to_string();
    assert!(texts(&scratch["statements"]).contains("INSERT"));
    assert!(!texts(&audit["used"]["statements"]).contains("INSERT"), "a page writes nothing");
}

#[test]
fn only_findings_as_grave_as_asked_for_fail() {
    let (place, log) = a_log();
    let (honest, ran) = audit(&place, &log, &named("honest"), &[]);
    assert_eq!(code(&ran), 0, "{:?}", findings(&honest));
    let (_, ran) = audit(&place, &log, &named("honest"), &["--fail-on", "low"]);
    assert_eq!(code(&ran), 1, "it is unsigned");
}

#[test]
fn an_audit_leaves_nothing_behind() {
    let (place, log) = a_log();
    let before = crate::support::digest(&log.join("audit.db"));
    audit(&place, &log, "keyset", &[]);
    let left: Vec<_> = std::fs::read_dir(place.path("cache"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("audit-"))
        .collect();
    assert_eq!((left, crate::support::digest(&log.join("audit.db"))), (vec![], before));
}

#[test]
fn a_file_that_is_not_there_is_misuse() {
    let (place, log) = a_log();
    let ran = place.run(&log, &["audit", "./missing.wasm", "--json"]);
    assert_eq!((code(&ran), stdout(&ran)), (2, String::new()));
    assert!(stderr(&ran).contains("missing.wasm"));
}

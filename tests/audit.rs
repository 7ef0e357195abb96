//! The operator's audit: what it finds, what it does not, and what its screen looks like.

mod allowed;
mod codes;
mod documented;
mod ledger;
mod screens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::support::{Place, code, guest, stderr, stdout};

/// Events of the log that is audited on: small, so that an audit takes a second or two.
const EVENTS: u64 = 3_000;

/// Audits a strategy on a small log, and returns the saved audit.
fn audit(place: &Place, log: &Path, strategy: &str, options: &[&str]) -> (Value, Output) {
    let usual = "--reference native-keyset --requests 60 --priority normal --json".split(' ');
    let args: Vec<&str> = ["audit", strategy].into_iter().chain(usual).collect();
    let ran = place.run(log, &[&args[..], options].concat());
    assert!(matches!(code(&ran), 0 | 1), "{strategy}: {}", stderr(&ran));
    let audit =
        serde_json::from_str(&stdout(&ran)).unwrap_or_else(|error| panic!("{error}: {}", stdout(&ran)));
    (audit, ran)
}

/// A log of its own.
fn a_log() -> (Place, PathBuf) {
    let place = Place::new();
    let log = place.small_data(EVENTS);
    (place, log)
}

/// The findings: code and severity.
fn findings(audit: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = audit["findings"].as_array().unwrap();
    findings.iter().map(|finding| (text(&finding["code"]), text(&finding["severity"]))).collect()
}

/// The path of a hostile strategy, or the name of one that the program carries.
fn named(strategy: &str) -> String {
    if keyhole_runtime::registry::BUILT_IN.contains(&strategy) {
        return strategy.to_owned();
    }
    guest(strategy).to_str().unwrap().to_owned()
}

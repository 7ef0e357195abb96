//! Each code of the list is raised by one strategy and not by another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use keyhole_lab::audit::findings::KINDS;

use super::{a_log, audit, findings, named};
use crate::support::Place;

/// A code, the strategy that raises it, and one that does not; behind a colon, how instances live.
const CODES: &[(&str, &str, &str)] = &[
    ("not-a-strategy", "exports-nothing", "honest"),
    ("unsigned", "honest", "keyset"),
    ("imported-never-called", "keyset", "native-keyset"),
    ("granted-never-used", "honest", "native-keyset"),
    ("denied-sql", "attach", "honest"),
    ("reads-unshown-payloads", "reads-everything", "honest"),
    ("texts-unbounded", "values-in-texts", "honest"),
    ("notes-suspicious", "misleading-notes", "honest"),
    ("lie:invented-id", "invented-id", "honest"),
    ("lie:repeated-event", "repeated-event", "honest"),
    ("lie:swapped-neighbours", "swapped-neighbours", "honest"),
    ("lie:wrong-tie-order", "wrong-tie-order", "honest"),
    ("lie:outside-window", "outside-window", "honest"),
    ("lie:wrong-actor", "wrong-actor", "honest"),
    ("lie:wrong-action", "wrong-action", "honest"),
    ("lie:one-too-many", "one-too-many", "honest"),
    ("lie:dropped-event", "dropped-event", "honest"),
    ("lie:early-end", "early-end", "honest"),
    ("lie:next-page-instead", "next-page-instead", "honest"),
    ("lie:stale-page", "stale-page", "honest"),
    ("differs-from-reference", "next-page-instead", "early-end"),
    ("non-deterministic", "non-deterministic:warm", "honest:warm"),
    ("uses-warm-state", "remembers-requests", "honest"),
    ("traps", "trap-in-mid-page", "honest"),
    ("gives-up", "gives-up", "honest"),
    ("sql-fails", "broken-sql", "honest"),
    ("bad-handle", "handle-of-other-call:warm", "handle-of-other-call"),
    ("refresh-fails", "scratch-goes-back", "honest-index"),
    ("over-guest-time", "spin-in-page", "honest"),
    ("over-sql-budget", "cross-join", "honest"),
    ("over-budget", "handle-flood", "honest"),
    ("near-limit", "nearly-all-memory", "honest"),
    ("steps-grow-with-depth", "baseline", "keyset"),
    ("steps-grow-with-log", "slow-when-large", "keyset"),
    ("fuel-grows-with-depth", "burns-when-deep", "honest"),
    ("fuel-grows-with-log", "burns-when-large", "honest"),
    ("full-scan", "plans-badly", "keyset"),
    ("automatic-index", "plans-badly", "honest"),
    ("sorts", "plans-badly", "native-keyset"),
    ("copies-payloads", "baseline", "keyset"),
];

/// Codes that need a policy, or the refresh of an index, to be raised.
const ELSEWHERE: [&str; 3] = ["imports-ungranted", "slow-refresh", "scratch-near-quota"];

#[test]
fn every_code_of_the_list_is_tested() {
    let mut tested: BTreeSet<&str> = CODES.iter().map(|(code, ..)| *code).collect();
    tested.extend(ELSEWHERE);
    assert_eq!(tested, KINDS.iter().map(|kind| kind.code).collect());
}

#[test]
fn each_code_is_raised_by_one_strategy_and_not_by_another() {
    let (place, log) = a_log();
    let mut audited: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for &(code, raises, does_not) in CODES {
        for (strategy, expected) in [(raises, true), (does_not, false)] {
            let codes = audited.entry(strategy).or_insert_with(|| {
                let (name, instances) = strategy.split_once(':').unwrap_or((strategy, "fresh"));
                let (audit, _) = audit(&place, &log, &named(name), &["--instances", instances]);
                findings(&audit).into_keys().collect()
            });
            if codes.contains(code) != expected {
                wrong.push(format!("{strategy}: {code} expected {expected}, found {codes:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The codes that an audit finds under a policy of these lines.
fn under(place: &Place, log: &Path, policy: &str, strategy: &str) -> BTreeSet<String> {
    let file = place.path("keyhole.toml");
    std::fs::write(&file, format!("version = 1\n{policy}")).unwrap();
    let (audit, _) = audit(place, log, strategy, &["--policy", file.to_str().unwrap()]);
    findings(&audit).into_keys().collect()
}

#[test]
fn an_import_that_is_not_granted_is_found_by_both_ways_of_refusing_it() {
    let (place, log) = a_log();
    let path = named("wasi-environment");
    let codes = |audit: &serde_json::Value| findings(audit).into_keys().collect::<BTreeSet<_>>();
    let (refused, _) = audit(&place, &log, &path, &[]);
    assert!(codes(&refused).contains("imports-ungranted"), "without a policy: {:?}", codes(&refused));
    let stanza = |wasi: &str| {
        let digest = crate::support::digest(Path::new(&path));
        format!(
            "[strategy.env]\nfile = {path:?}\ndigest = \"sha256:{digest}\"\n\
             interfaces = [\"log\", \"payloads\", \"diagnostics\"]\ncolumns = [\"id\", \"created_at\", \
             \"actor_id\", \"action\"]\n{wasi}"
        )
    };
    let without = under(&place, &log, &stanza(""), "env");
    assert!(without.contains("imports-ungranted"), "{without:?}");
    let granted = under(&place, &log, &stanza("wasi = [\"wasi:cli/environment\"]\n"), "env");
    assert!(!granted.contains("imports-ungranted") && !granted.contains("unsigned"), "{granted:?}");
}

#[test]
fn a_scratch_that_fills_most_of_its_quota_is_found() {
    let place = Place::new();
    // The least quota is a mebibyte: a log whose keys take more.
    let log = place.small_data(20_000);
    let (plain, _) = audit(&place, &log, "keyset", &[]);
    let bytes = plain["scratch"]["bytes"].as_u64().unwrap();
    let codes =
        |quota: u64| under(&place, &log, &format!("[strategy.keyset]\nquota = \"{quota}B\"\n"), "keyset");
    let (near, far) = (codes(bytes * 6 / 5), codes(bytes * 3));
    assert!(near.contains("scratch-near-quota"), "{bytes}: {near:?}");
    assert!(!far.contains("scratch-near-quota"), "{bytes}: {far:?}");
}

#[test]
fn a_refresh_that_walks_what_it_has_for_each_event_is_found() {
    let (place, log) = a_log();
    let (slow, _) = audit(&place, &log, &named("slow-refresh"), &[]);
    assert!(
        findings(&slow).contains_key("slow-refresh"),
        "{:?} {}",
        findings(&slow),
        slow["scratch"]["vm_steps"]
    );
    let (honest, _) = audit(&place, &log, &named("honest-index"), &[]);
    assert!(!findings(&honest).contains_key("slow-refresh"), "{:?}", findings(&honest));
}

//! Which limits and rules there are, and which of them an expected observation shows at work.

use std::collections::BTreeSet;

use crate::selftest::cases::{self, Case, Group};
use crate::selftest::own;
use keyhole_log::limits::Limits;

/// The rules of the gate on SQL that a strategy's statement breaks here; views share `schema`'s fate.
pub const RULES: [&str; 12] = [
    "attach",
    "function",
    "pragma",
    "read",
    "recursive",
    "schema",
    "statement",
    "temp",
    "transaction",
    "trigger",
    "virtual-table",
    "write",
];

/// Limits that are no number of a request's: of a strategy's tables, of the engine, of a call's handles.
const OTHERS: [&str; 4] = ["scratch_quota", "stack", "handle", "refresh"];

/// Fuel is counted by an engine of its own, which audits have; too many handles of an instance are observed
/// as too many handles of a call are.
const NOT_HERE: [&str; 2] = ["component_handles", "fuel"];

/// Everything that has to be tripped by a row, by name.
pub fn wanted() -> BTreeSet<String> {
    let limits = Limits::default().named();
    let limits =
        limits.iter().map(|(name, _)| (*name).to_owned()).filter(|name| !NOT_HERE.contains(&name.as_str()));
    let rules = RULES.iter().map(|rule| format!("rule {rule}"));
    limits.chain(rules).chain(OTHERS.map(str::to_owned)).collect()
}

/// What an expected observation shows at work.
pub fn guard(observed: &str) -> String {
    let inner = |prefix: &str| {
        observed.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(" (")?.strip_suffix(')'))
    };
    if let Some(rule) = inner("sql-denied") {
        return format!("rule {rule}");
    }
    if let Some(limit) = inner("sql-budget") {
        return limit.to_owned();
    }
    if let Some(lie) = observed.strip_prefix("lie:") {
        return format!("check {lie}");
    }
    match observed {
        "table" => "table_elements",
        "host-bytes" => "host_call_bytes",
        "instances" => "core_instances",
        "scratch-refused" => "refresh",
        other => return other.replace('-', "_"),
    }
    .to_owned()
}

/// What a row of the table shows at work, by its first expectation.
pub fn guard_of(case: &Case) -> Option<String> {
    case.expected.first().map(|expected| guard(expected))
}

/// The limits and rules that no row trips.
pub fn uncovered() -> Vec<String> {
    let mut wanted = wanted();
    for case in cases::all().filter(|case| case.group != Group::Other) {
        for expected in case.expected {
            wanted.remove(&guard(expected));
        }
    }
    for row in own::ROWS {
        wanted.remove(row.limit);
    }
    wanted.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_and_every_rule_is_tripped_by_a_row() {
        assert_eq!(uncovered(), Vec::<String>::new());
    }

    #[test]
    fn an_observation_is_named_after_what_made_it() {
        for (observed, name) in [
            ("sql-denied (read)", "rule read"),
            ("sql-budget (rows)", "rows"),
            ("guest-time", "guest_time"),
            ("lie:dropped-event", "check dropped-event"),
            ("table", "table_elements"),
        ] {
            assert_eq!(guard(observed), name);
        }
    }
}

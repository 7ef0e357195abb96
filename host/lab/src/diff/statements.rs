//! The statements of each, and SQLite's plans for them.

use super::{Area, Changes, Kind};
use crate::audit::facts::{Audit, Statement};

pub(super) fn compare(old: &Audit, new: &Audit, changes: &mut Changes) {
    texts(changes, "", &old.used.statements, &new.used.statements);
    let refreshes =
        |audit: &Audit| audit.scratch.clone().map(|scratch| scratch.statements).unwrap_or_default();
    texts(changes, "in refreshes, ", &refreshes(old), &refreshes(new));
}

fn texts(changes: &mut Changes, place: &str, old: &[Statement], new: &[Statement]) {
    for after in new {
        match old.iter().find(|before| before.sql == after.sql) {
            None => {
                let flaws = flaws(after);
                let flaws = if flaws.is_empty() { String::new() } else { format!(" ({})", flaws.join(", ")) };
                changes.add(Area::Statements, Kind::Changed, format!("{place}new{flaws}: {}", after.sql));
            }
            Some(before) => same_text(changes, place, before, after),
        }
    }
    for before in old {
        if !new.iter().any(|after| after.sql == before.sql) {
            changes.add(Area::Statements, Kind::Changed, format!("{place}gone: {}", before.sql));
        }
    }
}

fn same_text(changes: &mut Changes, place: &str, before: &Statement, after: &Statement) {
    let had = flaws(before);
    for flaw in flaws(after).iter().filter(|flaw| !had.contains(flaw)) {
        changes.add(Area::Statements, Kind::Dearer, format!("{place}now {flaw}: {}", after.sql));
    }
    if !before.plan.is_empty() && !after.plan.is_empty() && before.plan != after.plan {
        let what = format!(
            "{place}the plan is [{}], before [{}], of: {}",
            after.plan.join("; "),
            before.plan.join("; "),
            after.sql
        );
        changes.add(Area::Statements, Kind::Changed, what);
    }
}

/// What makes a statement dear, by the counters of its runs.
fn flaws(statement: &Statement) -> Vec<&'static str> {
    let flaws = [
        (statement.full_scan_steps, "scans a table"),
        (statement.sorts, "sorts"),
        (statement.automatic_indexes, "makes an index for itself"),
    ];
    flaws.into_iter().filter(|(count, _)| *count > 0).map(|(_, flaw)| flaw).collect()
}

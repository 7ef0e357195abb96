//! What each may touch and did touch.

use std::collections::BTreeSet;

use super::{Area, Changes, Kind};
use crate::audit::facts::Audit;

pub(super) fn compare(old: &Audit, new: &Audit, changes: &mut Changes) {
    let (before, after) = (&old.may, &new.may);
    sets(changes, Area::Imports, "imports", &before.imported, &after.imported);
    exports(changes, &before.exported, &after.exported);
    for (what, before, after) in [
        ("is granted the interface", &before.interfaces, &after.interfaces),
        ("is granted the column", &before.columns, &after.columns),
        ("is granted the function", &before.functions, &after.functions),
        ("is granted the virtual table", &before.virtual_tables, &after.virtual_tables),
        ("is granted", &before.wasi, &after.wasi),
    ] {
        sets(changes, Area::Grants, what, before, after);
    }
    amount(changes, "scratch_quota", before.scratch_quota, after.scratch_quota);
    if before.instances != after.instances {
        // What an instance keeps from one request to the next is more than nothing.
        let kind = if after.instances == "fresh" { Kind::Narrowed } else { Kind::Widened };
        changes.add(
            Area::Grants,
            kind,
            format!("its instances are {}, before {}", after.instances, before.instances),
        );
    }
    for (name, before) in &old.limits {
        if let Some(after) = new.limits.get(name) {
            amount(changes, name, *before, *after);
        }
    }

    let (before, after) = (&old.used, &new.used);
    for (what, before, after) in [
        ("uses the interface", &before.interfaces, &after.interfaces),
        ("reads the column", &before.columns, &after.columns),
        ("touches the table", &before.tables, &after.tables),
        ("calls the function", &before.functions, &after.functions),
    ] {
        sets(changes, Area::Use, what, before, after);
    }
    let calls = |audit: &Audit| audit.used.calls.keys().cloned().collect::<Vec<_>>();
    sets(changes, Area::Use, "calls the host's", &calls(old), &calls(new));
    let denials = |audit: &Audit| -> Vec<String> {
        audit.used.denials.iter().map(|denial| format!("{} by rule {}", denial.object, denial.rule)).collect()
    };
    sets(changes, Area::Use, "was denied", &denials(old), &denials(new));
    let (before, after) = (&before.notes, &after.notes);
    if before.is_empty() && !after.is_empty() {
        changes.add(Area::Use, Kind::Changed, "writes notes, which it did not before");
    }
}

/// What the new one has and the old one has not widens; the other way round narrows.
fn sets(changes: &mut Changes, area: Area, what: &str, old: &[String], new: &[String]) {
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
    for name in after.difference(&before) {
        changes.add(area, Kind::Widened, format!("{what} {name}"));
    }
    for name in before.difference(&after) {
        changes.add(area, Kind::Narrowed, format!("{what} {name} no longer"));
    }
}

/// Exports are what the host may call: they give a strategy nothing.
fn exports(changes: &mut Changes, old: &[String], new: &[String]) {
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
    for name in after.difference(&before) {
        changes.add(Area::Imports, Kind::Changed, format!("exports {name}"));
    }
    for name in before.difference(&after) {
        changes.add(Area::Imports, Kind::Changed, format!("no longer exports {name}"));
    }
}

fn amount(changes: &mut Changes, name: &str, old: u64, new: u64) {
    let kind = match new.cmp(&old) {
        std::cmp::Ordering::Greater => Kind::Widened,
        std::cmp::Ordering::Less => Kind::Narrowed,
        std::cmp::Ordering::Equal => return,
    };
    changes.add(Area::Grants, kind, format!("{name} is {new}, before {old}"));
}

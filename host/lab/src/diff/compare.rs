//! What changed from one audit to the other, area by area.

use std::collections::BTreeSet;

use super::{Answers, Area, Changes, CostChange, Kind, NewAnswers};
use crate::audit::facts::{Audit, Correctness, Cost, Determinism, Signature};
use keyhole_log::ledger::StatementUse;
use keyhole_log::units::{float, grouped};

/// How much more is called dearer: steps and fuel are exact, so this is not for noise, but for what no
/// page would feel.
const MARGIN: f64 = 1.1;

/// Who each is, and who vouches for it.
pub(super) fn identity(old: &Audit, new: &Audit, changes: &mut Changes) {
    let (before, after) = (&old.strategy, &new.strategy);
    let mut changed = |kind, what: String| changes.add(Area::Identity, kind, what);
    let words = |signature: &Signature| match signature {
        Signature::None => "nobody".to_owned(),
        Signature::BuiltIn => "this program".to_owned(),
        Signature::Digest => "the policy's digest".to_owned(),
        Signature::Key(name) => format!("the key {name}"),
    };
    if before.signature != after.signature {
        // A key that vouched for the old one is worth nothing if it does not vouch for the new one.
        let was_nobody = before.signature == Signature::None;
        let kind = if was_nobody { Kind::Narrowed } else { Kind::Widened };
        changed(
            kind,
            format!("vouched for by {}, before by {}", words(&after.signature), words(&before.signature)),
        );
    }
    if before.world != after.world {
        let world = |world: &Option<String>| world.clone().unwrap_or_else(|| "none".to_owned());
        changed(
            Kind::Changed,
            format!("of world {}, before of {}", world(&after.world), world(&before.world)),
        );
    }
    for producer in after.producers.iter().filter(|producer| !before.producers.contains(producer)) {
        changed(Kind::Changed, format!("claims {producer}"));
    }
}

/// What each may touch and did touch.
pub(super) fn authority(old: &Audit, new: &Audit, changes: &mut Changes) {
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
    limit(changes, "scratch_quota", before.scratch_quota, after.scratch_quota);
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
            limit(changes, name, *before, *after);
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

fn limit(changes: &mut Changes, name: &str, old: u64, new: u64) {
    let kind = match new.cmp(&old) {
        std::cmp::Ordering::Greater => Kind::Widened,
        std::cmp::Ordering::Less => Kind::Narrowed,
        std::cmp::Ordering::Equal => return,
    };
    changes.add(Area::Grants, kind, format!("{name} is {new}, before {old}"));
}

/// The statements of each, and SQLite's plans for them.
pub(super) fn statements(old: &Audit, new: &Audit, changes: &mut Changes) {
    texts(changes, "", &old.used.statements, &new.used.statements);
    let refreshes = |audit: &Audit| audit.scratch.clone().unwrap_or_default().statements;
    texts(changes, "in refreshes, ", &refreshes(old), &refreshes(new));
}

fn texts(changes: &mut Changes, place: &str, old: &[StatementUse], new: &[StatementUse]) {
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

fn same_text(changes: &mut Changes, place: &str, before: &StatementUse, after: &StatementUse) {
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
fn flaws(statement: &StatementUse) -> Vec<&'static str> {
    let flaws = [
        (statement.full_scan_steps, "scans a table"),
        (statement.sorts, "sorts"),
        (statement.automatic_indexes, "makes an index for itself"),
    ];
    flaws.into_iter().filter(|(count, _)| *count > 0).map(|(_, flaw)| flaw).collect()
}

/// What each costs.
pub(super) fn costs(old: &Audit, new: &Audit, changes: &mut Changes) -> Vec<CostChange> {
    let mut costs = Vec::new();
    for after in &new.cost {
        let same = |before: &&Cost| {
            (&before.filter, &before.log, before.page, before.events)
                == (&after.filter, &after.log, after.page, after.events)
        };
        if let Some(before) = old.cost.iter().find(same) {
            costs.extend(point(before, after, changes));
        }
    }
    let (before, after) = (&old.used.most, &new.used.most);
    for (what, before, after) in [
        ("bytes of memory", before.memory, after.memory),
        ("payloads read for the strategy", before.payload_reads, after.payload_reads),
        ("bytes into the strategy", before.boundary_bytes, after.boundary_bytes),
        ("rows", before.rows, after.rows),
        ("handles", before.handles, after.handles),
    ] {
        amount(changes, &format!("at most {{}} {what} in one request"), before, after);
    }
    match (&old.scratch, &new.scratch) {
        (Some(before), Some(after)) if before.events == after.events => {
            amount(changes, "{} bytes of scratch", before.bytes, after.bytes);
            amount(changes, "{} steps to fill scratch", before.vm_steps, after.vm_steps);
        }
        (None, Some(after)) => {
            let bytes = grouped(after.bytes);
            changes.add(Area::Cost, Kind::Dearer, format!("keeps {bytes} bytes of scratch, before none"));
        }
        (Some(before), None) => {
            let bytes = grouped(before.bytes);
            changes.add(Area::Cost, Kind::Cheaper, format!("keeps no scratch, before {bytes} bytes"));
        }
        _ => {}
    }
    costs
}

/// None where one of them failed: then there is nothing to hold against the other.
fn point(before: &Cost, after: &Cost, changes: &mut Changes) -> Option<CostChange> {
    let place = format!("page {} of {} on the {} log", after.page, after.filter, after.log);
    let failed = match (&before.failed, &after.failed) {
        (None, None) => None,
        (Some(_), Some(_)) => return None,
        (None, Some(error)) => Some((Kind::Differs, format!("fails ({error}), before it was answered"))),
        (Some(error), None) => Some((Kind::Mended, format!("is answered, before it failed ({error})"))),
    };
    if let Some((kind, what)) = failed {
        changes.add(Area::Answers, kind, format!("{place} {what}"));
        return None;
    }
    let fuel = before.fuel.zip(after.fuel).map(|(before, after)| [before, after]);
    let steps = judged(before.vm_steps, after.vm_steps);
    let burnt = fuel.and_then(|[before, after]| judged(before, after));
    // Dearer in one and cheaper in the other is for the operator to weigh: the worse is told.
    let kind = [steps, burnt].into_iter().flatten().min();
    if let Some(kind) = kind {
        let mut words =
            vec![format!("{} steps, before {}", grouped(after.vm_steps), grouped(before.vm_steps))];
        if let Some([before, after]) = fuel {
            words.push(format!("{} fuel, before {}", grouped(after), grouped(before)));
        }
        changes.add(Area::Cost, kind, format!("{place}: {}", words.join("; ")));
    }
    Some(CostChange {
        filter: after.filter.clone(),
        log: after.log.clone(),
        page: after.page,
        vm_steps: [before.vm_steps, after.vm_steps],
        fuel,
        us: [before.us, after.us],
        kind,
    })
}

fn amount(changes: &mut Changes, words: &str, before: u64, after: u64) {
    if let Some(kind) = judged(before, after) {
        let words = words.replace("{}", &grouped(after));
        changes.add(Area::Cost, kind, format!("{words}, before {}", grouped(before)));
    }
}

fn judged(before: u64, after: u64) -> Option<Kind> {
    let (old, new) = (float(before), float(after));
    if new > old * MARGIN {
        Some(Kind::Dearer)
    } else if new * MARGIN < old {
        Some(Kind::Cheaper)
    } else {
        None
    }
}

/// Whether both answer alike.
pub(super) fn answers(old: &Audit, new: &Audit, changes: &mut Changes) -> Answers {
    if let (Some(before), Some(after)) = (&old.determinism, &new.determinism) {
        deterministic(before, after, changes);
    }
    let failing = changes.list.iter().any(|change| change.kind == Kind::Differs);
    let unknown = if failing { Answers::Different } else { Answers::Unknown };
    let mut add = |kind, what: String| changes.add(Area::Answers, kind, what);
    let (Some(before), Some(after)) = (&old.correctness, &new.correctness) else {
        let which = if new.correctness.is_none() { "the new one" } else { "the old one" };
        add(Kind::Changed, format!("{which} was not run, so its answers are not known"));
        return unknown;
    };
    if old.reference != new.reference {
        let name = |reference: &Option<String>| reference.clone().unwrap_or_else(|| "nothing".to_owned());
        add(
            Kind::Changed,
            format!("judged by {} and by {}: not by the same", name(&old.reference), name(&new.reference)),
        );
        return unknown;
    }
    match (before.equal, after.equal) {
        (true, true) if before.non_empty.min(after.non_empty) == 0 => {
            add(Kind::Changed, "no page with an event was compared".to_owned());
            return unknown;
        }
        (true, true) if !failing => return Answers::Same,
        (true, true) => {}
        (false, true) => {
            add(Kind::Mended, format!("equals the reference, which the old one did not: {}", first(before)));
        }
        // No worse than it was, and as wrong.
        (false, false) => add(Kind::Changed, format!("still does not equal the reference: {}", first(after))),
        (true, false) => {
            add(Kind::Differs, format!("does not equal the reference: {}", first(after)));
        }
    }
    Answers::Different
}

/// Whether the answers of the new one are right, as its audit has it.
pub(super) fn new_answers(new: &Audit) -> NewAnswers {
    let (pages, right) = new.correctness.as_ref().map_or((0, None), |facts| {
        (facts.pages, (facts.non_empty > 0 || !facts.equal).then_some(facts.equal))
    });
    NewAnswers { right, reference: new.reference.clone(), pages }
}

/// The first difference that an audit found.
fn first(correctness: &Correctness) -> String {
    let stream = correctness.streams.iter().find(|stream| stream.differing > 0);
    stream.map_or_else(
        || "the audit does not say where".to_owned(),
        |stream| {
            let kind = stream.kind.as_deref().unwrap_or("differs");
            format!("{kind} in stream {}, on {} of {} pages", stream.name, stream.differing, stream.pages)
        },
    )
}

fn deterministic(before: &Determinism, after: &Determinism, changes: &mut Changes) {
    let refill = |facts: &Determinism| facts.same_after_refill.unwrap_or(true);
    for (before, after, what, kind) in [
        (before.same_across_processes, after.same_across_processes, "in another process", Kind::Differs),
        (before.same_in_used_slot, after.same_in_used_slot, "in a pool slot used before", Kind::Differs),
        (refill(before), refill(after), "after scratch was filled anew", Kind::Differs),
        (before.same_when_warm, after.same_when_warm, "in a warm instance", Kind::Differs),
        (
            before.same_fuel_across_processes,
            after.same_fuel_across_processes,
            "in fuel, in another process",
            Kind::Changed,
        ),
    ] {
        if before && !after {
            changes.add(Area::Answers, kind, format!("no longer the same {what}"));
        } else if after && !before {
            changes.add(Area::Answers, Kind::Mended, format!("now the same {what}"));
        }
    }
}

/// What each audit found.
pub(super) fn findings(old: &Audit, new: &Audit, changes: &mut Changes) {
    let found = |audit: &Audit, code: &str| audit.findings.iter().any(|finding| finding.code == code);
    let mut changed = |what: String| changes.add(Area::Findings, Kind::Changed, what);
    for finding in new.findings.iter().filter(|finding| !found(old, &finding.code)) {
        changed(format!("new, {}: {}: {}", finding.severity.name(), finding.code, finding.what));
    }
    for finding in old.findings.iter().filter(|finding| !found(new, &finding.code)) {
        changed(format!("gone: {}", finding.code));
    }
}

/// What the comparison cannot tell.
pub(super) fn limitations(old: &Audit, new: &Audit) -> Vec<String> {
    let mut limitations = Vec::new();
    if old.log != new.log {
        limitations.push(format!(
            "the audits ran on different logs ({} and {} events): costs are compared only at the same page of \
             a log of the same size",
            old.log.events, new.log.events
        ));
    }
    for (name, before) in &old.host {
        if let Some(after) = new.host.get(name).filter(|after| *after != before) {
            limitations.push(format!(
                "{name} was {before} and is {after}: plans and steps may have changed by that"
            ));
        }
    }
    limitations.extend(new.limitations.iter().cloned());
    limitations
}

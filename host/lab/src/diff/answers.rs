//! Whether both answer alike.

use super::{Answers, Area, Changes, Kind};
use crate::audit::facts::{Audit, Correctness, Determinism};

pub(super) fn compare(old: &Audit, new: &Audit, changes: &mut Changes) -> Answers {
    if let (Some(before), Some(after)) = (&old.determinism, &new.determinism) {
        deterministic(before, after, changes);
    }
    let failing = changes.list.iter().any(|change| change.kind == Kind::Differs);
    let mut add = |kind, what: String| changes.add(Area::Answers, kind, what);
    let (Some(before), Some(after)) = (&old.correctness, &new.correctness) else {
        let which = if new.correctness.is_none() { "the new one" } else { "the old one" };
        add(Kind::Changed, format!("{which} was not run, so its answers are not known"));
        return if failing { Answers::Different } else { Answers::Unknown };
    };
    if old.reference != new.reference {
        let name = |reference: &Option<String>| reference.clone().unwrap_or_else(|| "nothing".to_owned());
        add(
            Kind::Changed,
            format!("judged by {} and by {}: not by the same", name(&old.reference), name(&new.reference)),
        );
        return if failing { Answers::Different } else { Answers::Unknown };
    }
    match (before.equal, after.equal) {
        (true, true) if before.non_empty.min(after.non_empty) == 0 => {
            add(Kind::Changed, "no page with an event was compared".to_owned());
            return if failing { Answers::Different } else { Answers::Unknown };
        }
        (true, true) if !failing => return Answers::Same,
        (true, true) => {}
        (false, true) => {
            add(Kind::Differs, format!("equals the reference, which the old one did not: {}", first(before)));
        }
        (_, false) => {
            add(Kind::Differs, format!("does not equal the reference: {}", first(after)));
        }
    }
    Answers::Different
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
        match (before, after) {
            (true, false) => {
                changes.add(Area::Answers, kind, format!("no longer the same {what}"));
            }
            (false, true) => {
                changes.add(Area::Answers, Kind::Changed, format!("now the same {what}"));
            }
            _ => {}
        }
    }
}

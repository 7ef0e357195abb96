//! What each costs.

use serde::Serialize;

use super::{Area, Changes, Kind};
use crate::audit::facts::{Audit, Cost};
use crate::units::grouped;

/// How much more is called dearer: steps and fuel are exact, so this is not for noise, but for what no
/// page would feel.
const MARGIN: f64 = 1.1;

/// One measured request, before and after.
#[derive(Clone, Debug, Serialize)]
pub struct CostChange {
    /// Which events.
    pub filter: String,
    /// The whole log, or half of it.
    pub log: String,
    /// The page's number.
    pub page: u64,
    /// Steps of SQLite's virtual machine.
    pub vm_steps: [u64; 2],
    /// Fuel, where both were counted.
    pub fuel: Option<[u64; 2]>,
    /// Time in microseconds: not judged, since it depends on the machine and its load.
    pub us: [f64; 2],
    /// What it means, where it means something.
    pub kind: Option<Kind>,
}

pub(super) fn compare(old: &Audit, new: &Audit, changes: &mut Changes) -> Vec<CostChange> {
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
    match (&before.failed, &after.failed) {
        (None, Some(error)) => {
            changes.add(
                Area::Answers,
                Kind::Differs,
                format!("{place} fails ({error}), before it was answered"),
            );
            return None;
        }
        (Some(error), None) => {
            changes.add(
                Area::Answers,
                Kind::Changed,
                format!("{place} is answered, before it failed ({error})"),
            );
            return None;
        }
        (Some(_), Some(_)) => return None,
        (None, None) => {}
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
    #[allow(clippy::cast_precision_loss, reason = "a ratio of counters")]
    let (old, new) = (before as f64, after as f64);
    if new > old * MARGIN {
        Some(Kind::Dearer)
    } else if new * MARGIN < old {
        Some(Kind::Cheaper)
    } else {
        None
    }
}

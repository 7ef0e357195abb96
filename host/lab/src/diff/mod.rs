//! What an operator reads before approving an upgrade: two audits, side by side.
//!
//! It judges three things. Whether the new one *widens*: imports, is granted, uses or tries anything that
//! the old one did not, or is vouched for by less. Whether the *answers* are the same, as far as both
//! audits can tell. Whether it is *dearer*, in steps and fuel, which are exact, and not in time. The first
//! two keep an upgrade from being acceptable; the third is for the operator to weigh.

mod answers;
mod cost;
mod screen;
mod statements;
mod touch;

use serde::Serialize;

use crate::audit::facts::{Audit, Severity, Signature, Verdict as AuditVerdict, Who};

pub use cost::CostChange;
pub use screen::document;

/// The format of a saved comparison.
pub const FORMAT: u32 = 1;

/// Two audits compared.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// Whether nothing widens, the answers are the same, and the new one is fit.
    pub acceptable: bool,
    /// Whether the new one reaches for more.
    pub widens: bool,
    /// Whether both answer alike.
    pub answers: Answers,
    /// Whether the new one costs more steps, fuel, memory or space.
    pub dearer: bool,
    /// Whether the new one's audit calls it unfit.
    pub is_unfit: bool,
    /// Whether both are one component, byte for byte.
    pub same_component: bool,
    /// The old one.
    pub old: Who,
    /// The new one.
    pub new: Who,
    /// What changed, by area, the weightiest of each first.
    pub changes: Vec<Change>,
    /// What the measured requests cost, old and new.
    pub costs: Vec<CostChange>,
    /// What this comparison cannot tell.
    pub unseen: Vec<String>,
}

/// Whether two strategies answer alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// Both equal the same reference.
    Same,
    /// One of them does not, or fails where the other answers.
    Different,
    /// The audits do not say.
    Unknown,
}

/// One thing that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is about.
    pub area: Area,
    /// What it means.
    pub kind: Kind,
    /// The change in words; it may hold guest text.
    pub what: String,
}

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// Who the strategy is, and who vouches for it.
    Identity,
    /// What it imports and exports.
    Imports,
    /// What it is granted, limits included.
    Grants,
    /// What it used, or tried to.
    Use,
    /// Its statements and their plans.
    Statements,
    /// What it costs.
    Cost,
    /// What it answers.
    Answers,
    /// What its audit found.
    Findings,
}

/// What a change means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The new one reaches for more.
    Widened,
    /// It answers otherwise, or not.
    Differs,
    /// It costs more.
    Dearer,
    /// To be read; neither better nor worse by itself.
    Changed,
    /// It costs less.
    Cheaper,
    /// It reaches for less.
    Narrowed,
}

/// Compares two audits.
pub fn compare(old: &Audit, new: &Audit) -> Diff {
    let mut changes = Changes::default();
    identity(old, new, &mut changes);
    touch::compare(old, new, &mut changes);
    statements::compare(old, new, &mut changes);
    let costs = cost::compare(old, new, &mut changes);
    let answers = answers::compare(old, new, &mut changes);
    findings(old, new, &mut changes);

    let changes = changes.list;
    let has = |kind: Kind| changes.iter().any(|change| change.kind == kind);
    let widens = has(Kind::Widened);
    let is_unfit = new.verdict == AuditVerdict::Unfit;
    Diff {
        format: FORMAT,
        acceptable: !widens && answers == Answers::Same && !is_unfit,
        widens,
        answers,
        dearer: has(Kind::Dearer),
        is_unfit,
        same_component: old.strategy.digest.is_some() && old.strategy.digest == new.strategy.digest,
        old: old.strategy.clone(),
        new: new.strategy.clone(),
        changes,
        costs,
        unseen: unseen(old, new),
    }
}

/// The changes as they are found: kept in order of area, then of weight.
#[derive(Default)]
struct Changes {
    list: Vec<Change>,
}

impl Changes {
    fn add(&mut self, area: Area, kind: Kind, what: impl Into<String>) {
        self.list.push(Change { area, kind, what: what.into() });
        self.list.sort_by_key(|change| (change.area as u8, change.kind));
    }
}

fn identity(old: &Audit, new: &Audit, changes: &mut Changes) {
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

fn findings(old: &Audit, new: &Audit, changes: &mut Changes) {
    let codes = |audit: &Audit| -> Vec<String> {
        audit.findings.iter().map(|finding| finding.code.clone()).collect()
    };
    let (before, after) = (codes(old), codes(new));
    for finding in new.findings.iter().filter(|finding| !before.contains(&finding.code)) {
        let severity = match finding.severity {
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
        };
        changes.add(
            Area::Findings,
            Kind::Changed,
            format!("new, {severity}: {}: {}", finding.code, finding.what),
        );
    }
    for finding in old.findings.iter().filter(|finding| !after.contains(&finding.code)) {
        changes.add(Area::Findings, Kind::Changed, format!("gone: {}", finding.code));
    }
}

fn unseen(old: &Audit, new: &Audit) -> Vec<String> {
    let mut unseen = Vec::new();
    if old.log != new.log {
        unseen.push(format!(
            "the audits ran on different logs ({} and {} events): costs are compared only at the same page of \
             a log of the same size",
            old.log.events, new.log.events
        ));
    }
    for (name, before) in &old.host {
        if let Some(after) = new.host.get(name).filter(|after| *after != before) {
            unseen.push(format!(
                "{name} was {before} and is {after}: plans and steps may have changed by that"
            ));
        }
    }
    for limit in &new.unseen {
        unseen.push(limit.clone());
    }
    unseen
}

#[cfg(test)]
mod tests;

//! What an operator reads before approving an upgrade: two audits, side by side.
//!
//! It judges three things. Whether the new one *widens*: imports, is granted, uses or tries anything that
//! the old one did not, or is vouched for by less. Whether the new one's *answers* are right, and the same as the old
//! one's, as far as both audits can tell. Whether it is *dearer*, in steps and fuel, which are exact, and not in time.
//! The first two keep an upgrade from being acceptable; the third is for the operator to weigh. All of it together
//! makes the new one *better* or *worse* than the old one, or *the same*.

mod compare;

use serde::Serialize;

use crate::audit::facts::{Audit, Verdict, Who};

/// The format of a saved comparison.
pub const FORMAT: u32 = 1;

/// Two audits compared.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// Whether the new one is better than the old one, or worse.
    pub judgement: Judgement,
    /// Whether nothing widens, the new answers are right and not otherwise where the old ones were right, and the
    /// new one is fit.
    pub acceptable: bool,
    /// Whether the new one reaches for more.
    pub widens: bool,
    /// Whether both answer alike.
    pub answers: Answers,
    /// Whether the answers of the new one are right.
    pub new_answers: NewAnswers,
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
    #[serde(rename = "unseen")]
    pub limitations: Vec<String>,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// It mends an answer, or costs less or reaches for less, and nothing is worse.
    Better,
    /// Nothing that is judged has changed.
    Same,
    /// It reaches for more, answers otherwise where the old one was right, has become unfit, or costs more.
    Worse,
    /// The audits do not say whether its answers are right.
    Unknown,
}

/// Whether the answers of the new one are right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewAnswers {
    /// Whether each page that was compared equals the reference's. None where no page with an event was compared.
    pub right: Option<bool>,
    /// What they were compared with.
    pub reference: Option<String>,
    /// How many pages were compared.
    pub pages: u64,
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
    /// It answers as it should, and the old one did not.
    Mended,
}

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

/// Compares two audits.
pub fn run(old: &Audit, new: &Audit) -> Diff {
    let mut changes = Changes::default();
    compare::identity(old, new, &mut changes);
    compare::authority(old, new, &mut changes);
    compare::statements(old, new, &mut changes);
    let costs = compare::costs(old, new, &mut changes);
    let answers = compare::answers(old, new, &mut changes);
    compare::findings(old, new, &mut changes);

    let changes = changes.list;
    let has = |kind: Kind| changes.iter().any(|change| change.kind == kind);
    let widens = has(Kind::Widened);
    let is_unfit = new.verdict == Verdict::Unfit;
    let was_unfit = old.verdict == Verdict::Unfit;
    let new_answers = compare::new_answers(new);
    let is_right = new_answers.right == Some(true);
    let has_mended = has(Kind::Mended) || (was_unfit && !is_unfit);
    let judgement = match () {
        () if widens || has(Kind::Differs) || (is_unfit && !was_unfit) => Judgement::Worse,
        () if new_answers.right.is_none() || answers == Answers::Unknown => Judgement::Unknown,
        () if has_mended => Judgement::Better,
        () if has(Kind::Dearer) => Judgement::Worse,
        () if has(Kind::Cheaper) || has(Kind::Narrowed) => Judgement::Better,
        () => Judgement::Same,
    };
    Diff {
        format: FORMAT,
        judgement,
        acceptable: !widens && !has(Kind::Differs) && answers != Answers::Unknown && is_right && !is_unfit,
        widens,
        answers,
        new_answers,
        dearer: has(Kind::Dearer),
        is_unfit,
        same_component: old.strategy.digest.is_some() && old.strategy.digest == new.strategy.digest,
        old: old.strategy.clone(),
        new: new.strategy.clone(),
        changes,
        costs,
        limitations: compare::limitations(old, new),
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

#[cfg(test)]
mod tests;

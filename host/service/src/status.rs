//! How the service is doing, as plain data: what readiness, `strategy list` and metrics show.

use serde::{Deserialize, Serialize};

use keyhole_log::error::Error;

/// Everything that an operator may ask of a running service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Whether it answers requests as it should.
    pub ready: bool,
    /// Why not.
    pub troubles: Vec<Trouble>,
    /// The strategy that serves.
    pub active: Option<Standing>,
    /// What a rollback would bring back: those that served before, the latest first.
    pub good: Vec<Standing>,
    /// Proven liars, by digest: none of them is let in.
    pub liars: Vec<Liar>,
    /// Strategies on their way, by name.
    pub staged: Vec<Staged>,
    /// Deployments that drain: they still answer what they began.
    pub retiring: Vec<Standing>,
    /// How often another strategy became the active one since the start.
    pub swaps: u64,
    /// The last swap of any kind.
    pub last_swap: Option<Swap>,
    /// The comparison of what is served with the reference.
    pub compared: Compared,
    /// The workers.
    pub workers: usize,
    /// Requests that wait for one.
    pub queued: usize,
    /// How many may wait.
    pub queue_limit: usize,
    /// Requests that were not let in because as many waited.
    pub shed: u64,
    /// The log's largest id; none where it cannot be read.
    pub high_water: Option<i64>,
    /// SHA-256 of the policy's file, in hex.
    pub policy: Option<String>,
}

/// A component that served a page which the reference says is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Liar {
    /// The name that it served under.
    pub name: String,
    /// SHA-256 of its component, in hex.
    pub digest: String,
    /// When that was found out.
    pub at: String,
    /// The lie's kind.
    pub kind: String,
    /// What was wrong.
    pub message: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Its code, of the one list.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Trouble {
    pub(super) fn of(error: &Error) -> Self {
        let fix = error.fix().map(str::to_owned);
        Self { code: error.code().to_owned(), message: error.to_string(), fix }
    }
}

/// A strategy that serves, did, or is about to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// SHA-256 of its component, in hex.
    pub digest: String,
    /// Whether its answers were proven equal to the reference's.
    pub proven: bool,
    /// Requests that it is answering.
    pub in_flight: u64,
    /// Requests that it has answered.
    pub answered: u64,
    /// Those that the reference answered in its place, since an odd cell may have touched them.
    pub by_reference: u64,
    /// Its breaker.
    pub breaker: BreakerState,
    /// Its scratch, if it has one.
    pub scratch: Option<ScratchState>,
}

/// What a breaker counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerState {
    /// Failures within the window.
    pub failures: u64,
    /// At how many it opens.
    pub allowed: u64,
    /// The window, in milliseconds.
    pub within_ms: u64,
    /// How often it opened.
    pub trips: u64,
    /// The last failure, by its observed name.
    pub last: Option<String>,
}

/// How a scratch is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScratchState {
    /// The last event that it covered when a page was last answered.
    pub covered: i64,
    /// Events beyond that.
    pub lag: u64,
    /// Its bytes on disk.
    pub bytes: u64,
    /// How many they may be.
    pub quota: u64,
    /// How often it did not fit the log and was filled anew.
    pub dropped: u64,
    /// Events that it covers and that have an odd cell: no page shows them.
    pub quarantined: u64,
    /// How far its comparison with the log is.
    pub scrub: ScrubState,
}

/// How far the comparison of a scratch with the log is, which begins again whenever it has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubState {
    /// Events that were compared in the running round.
    pub compared: u64,
    /// Events that the round has in all.
    pub of: u64,
    /// Rounds that have ended since the service started.
    pub rounds: u64,
    /// When the last one ended; none before that.
    pub ended: Option<String>,
    /// How often the log's history turned out to be another one than what scratch was made from.
    pub found: u64,
    /// Rounds over the payload lines that have ended: those of the strategy that serves are looked at.
    pub line_rounds: u64,
    /// Events whose payload was found to be another one than before, or no line of its own.
    pub faults: u64,
}

/// A swap of the active strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    /// Why: `promote`, `rollback`, `breaker`, `revoked`, `rested` or `regranted`.
    pub why: String,
    /// The strategy that served before.
    pub from: Option<String>,
    /// The strategy that serves now.
    pub to: Option<String>,
    /// From the order to the moment at which the next request has the other strategy, in microseconds.
    pub took_us: u64,
}

/// How far a strategy is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Its bytes are read.
    Staged,
    /// The policy lets it in, it fits the world, and it is compiled.
    Checked,
    /// Its scratch is filled.
    Indexed,
    /// It answered like the reference on all streams and walks.
    Proven,
    /// It is compared on live requests.
    Shadow,
    /// The shadow saw no difference: it may be promoted.
    Ready,
    /// It serves.
    Active,
    /// It will not serve: see its failure.
    Failed,
}

/// A strategy on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Staged {
    /// Its name.
    pub name: String,
    /// SHA-256 of its component, in hex.
    pub digest: String,
    /// Which staging under any name it is: what is promoted is what was seen.
    pub revision: u64,
    /// Who staged it.
    pub by: String,
    /// How far it is.
    pub stage: Stage,
    /// What is being done, and how far that is.
    pub progress: Option<Progress>,
    /// Pages on which it was proven.
    pub proven_pages: u64,
    /// Its shadow's figures.
    pub shadow: Option<ShadowState>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// How far something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What.
    pub what: String,
    /// How much of it is done.
    pub done: u64,
    /// Of how much.
    pub all: u64,
}

/// A shadow's figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShadowState {
    /// The share of live requests that it is asked as well.
    pub share: f64,
    /// How many are to be compared.
    pub requests: u64,
    /// How many were, all equal.
    pub compared: u64,
    /// How many held an event.
    pub non_empty: u64,
    /// Samples that were dropped because the comparison did not keep up.
    pub dropped: u64,
    /// Samples that could not be decided: the log's writer, or a machine too busy for the lane's priority.
    pub undecided: u64,
}

/// Why a strategy will not serve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// At which stage.
    pub stage: Stage,
    /// What it is, by name: an error's observed name, a lie's kind.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// The smallest request that shows it.
    pub smallest: Option<serde_json::Value>,
    /// The request on which it was found.
    pub request: Option<serde_json::Value>,
    /// The command that shows it again.
    pub repeat: Option<String>,
    /// The lines of a policy that would let it in, where it was not.
    pub lines: Option<String>,
}

impl Failure {
    pub(super) fn new(stage: Stage, kind: String, message: String) -> Self {
        Self { stage, kind, message, smallest: None, request: None, repeat: None, lines: None }
    }

    /// The failure of a strategy that an error ended the way of.
    pub(super) fn of(error: &Error, stage: Stage) -> Self {
        let lines = error.lines().map(str::to_owned);
        Self { lines, ..Self::new(stage, error.observed(), error.to_string()) }
    }

    /// The smallest request that shows it, as text.
    pub(super) fn smallest_text(&self) -> Option<String> {
        self.smallest.as_ref().map(ToString::to_string)
    }
}

/// The comparison of what is served with the reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The reference's name.
    pub reference: String,
    /// The share of pages that is compared.
    pub share: f64,
    /// Pages that were equal.
    pub equal: u64,
    /// Pages that were not.
    pub different: u64,
    /// Samples that were dropped because the comparison did not keep up.
    pub dropped: u64,
    /// Samples that could not be decided.
    pub undecided: u64,
    /// The last page that was not equal.
    pub last: Option<Failure>,
}

/// What was drained when the service ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// Requests in flight or waiting when it began to end.
    pub had: u64,
    /// How many of them were answered.
    pub finished: u64,
    /// How many were cut at the deadline.
    pub cut: u64,
    /// The decision log's head, `SEQ:HASH`, to be kept elsewhere.
    pub head: Option<String>,
}

/// What a change of the policy did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// SHA-256 of the policy's file, in hex.
    pub policy: Option<String>,
    /// Strategies that it no longer lets in.
    pub revoked: Vec<String>,
    /// Strategies whose grants changed.
    pub regranted: Vec<String>,
    /// Settings that are in effect after a restart only.
    pub needs_restart: Vec<String>,
    /// The strategy that serves now.
    pub active: Option<String>,
}

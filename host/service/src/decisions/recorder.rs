//! What a process that runs strategies on somebody's order writes into the decision log.
//!
//! Strategies that come from files, that is: those that the binary carries were decided upon when it was
//! built. A load or a denial that cannot be recorded is to be a warning, since nothing was granted by it; a
//! verdict or a grant that cannot be recorded is to be an error.

use std::sync::{Arc, Mutex, PoisonError};

use crate::decisions::{Decision, Decisions, Event};
use keyhole_log::error::Error;
use keyhole_log::ledger::Ledger;
use keyhole_log::model::PageRequest;
use keyhole_runtime::registry::{self, Registry};
use keyhole_runtime::strategy::Strategy;

/// A process's records in the decision log, under one policy.
pub struct Recorder {
    log: Decisions,
    /// The digest of the policy in force.
    policy: Option<String>,
    /// Whether this process is a part of another one, which records what is loaded.
    silent: bool,
    /// What was recorded already: one strategy may be loaded many times.
    seen: Mutex<Vec<(Event, String, Option<String>)>>,
}

impl Recorder {
    /// Records into this log, under the policy of this digest.
    pub fn new(log: Decisions, policy: Option<String>) -> Self {
        Self { log, policy, silent: false, seen: Mutex::default() }
    }

    /// One that records no loads: for a part of another process, which does.
    #[must_use]
    pub fn silent(self) -> Self {
        Self { silent: true, ..self }
    }

    /// Records that the strategy of this name was let in, or was not, once for each of its digests.
    pub fn loaded(
        &self,
        registry: Registry<'_>,
        name: &str,
        outcome: &Result<Arc<Strategy>, Error>,
    ) -> Result<(), Error> {
        let mut decision = match outcome {
            _ if self.silent || registry::BUILT_IN.contains(&name) => return Ok(()),
            Ok(_) => self.decision(Event::Load, name, "it fits, and imports only what it is granted"),
            Err(error) if error.blames_strategy() => self.decision(Event::Refuse, name, error.to_string()),
            Err(_) => return Ok(()),
        };
        decision.digest = match outcome {
            Ok(strategy) => Some(sha256(&strategy.digest)),
            // What cannot be read has none.
            Err(_) => {
                registry.bytes(name).ok().flatten().map(|bytes| sha256(&keyhole_log::hash::sha256(&bytes)))
            }
        };
        let entry = (decision.event, decision.strategy.clone(), decision.digest.clone());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&entry) {
            return Ok(());
        }
        seen.push(entry);
        drop(seen);
        self.log.record(&decision).map(drop)
    }

    /// Records a verdict about a strategy, if it is from a file: with this digest, or the one that it was
    /// let in with.
    pub fn verdict(&self, name: &str, digest: Option<&str>, reason: impl Into<String>) -> Result<(), Error> {
        if registry::BUILT_IN.contains(&name) {
            return Ok(());
        }
        let mut decision = self.decision(Event::Verdict, name, reason);
        decision.digest = digest.map(str::to_owned).or_else(|| self.digest(name));
        self.log.record(&decision).map(drop)
    }

    /// Records what a strategy was denied during a run, in one record.
    pub fn denied(&self, strategy: &Strategy, denials: Denials) -> Result<(), Error> {
        let Some((reason, request)) = denials.first else { return Ok(()) };
        if registry::BUILT_IN.contains(&strategy.name.as_str()) {
            return Ok(());
        }
        self.log
            .record(&Decision {
                digest: Some(sha256(&strategy.digest)),
                count: Some(denials.count),
                request: Some(request),
                ..self.decision(Event::Deny, &strategy.name, reason)
            })
            .map(drop)
    }

    /// The digest that a strategy of this name was last let in with.
    fn digest(&self, name: &str) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut loads = seen.iter().rev().filter(|(event, ..)| *event == Event::Load);
        loads.find(|(_, strategy, _)| strategy == name).and_then(|(.., digest)| digest.clone())
    }

    fn decision(&self, event: Event, strategy: &str, reason: impl Into<String>) -> Decision {
        Decision { policy: self.policy.clone(), ..Decision::new(event, strategy, reason) }
    }
}

/// What a strategy was denied during a run.
#[derive(Default)]
pub struct Denials {
    count: u64,
    /// The first of them, and the request that led to it.
    first: Option<(String, String)>,
}

impl Denials {
    /// Adds those of one request.
    pub fn add(&mut self, ledger: &Ledger, request: &PageRequest) {
        self.count += ledger.denied;
        if self.first.is_none()
            && let Some((rule, object)) = ledger.denials().next()
        {
            let request = serde_json::to_string(request).unwrap_or_default();
            self.first = Some((format!("first by rule {rule}: {object}"), request));
        }
    }
}

/// A digest as reports and policies write it.
fn sha256(digest: &str) -> String {
    format!("sha256:{digest}")
}

//! What the verbs that run strategies write into the decision log.
//!
//! Strategies that come from files, that is: those that the binary carries were decided upon when it was
//! built. A load or a denial that cannot be recorded is a warning, since nothing was granted by it; a
//! verdict or a grant that cannot be recorded is an error.

use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::commands::Setup;
use crate::decisions::{Decision, Decisions, Event};
use crate::error::Error;
use crate::ledger::Ledger;
use crate::page::PageRequest;
use crate::registry::{self, Registry};
use crate::strategy::Strategy;

/// What this process has recorded already: a verb may load one strategy many times.
#[derive(Default)]
pub struct Recorded {
    /// Whether this process is a part of another one, which records.
    silent: bool,
    seen: Mutex<Vec<(Event, String, Option<String>)>>,
}

impl Recorded {
    /// For a process that is a part of another one, which records.
    pub fn silent() -> Self {
        Self { silent: true, ..Self::default() }
    }

    fn is_new(&self, decision: &Decision) -> bool {
        if self.silent {
            return false;
        }
        let entry = (decision.event, decision.strategy.clone(), decision.digest.clone());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !seen.contains(&entry);
        if is_new {
            seen.push(entry);
        }
        is_new
    }

    /// The digest that a strategy of this name was last let in with.
    fn digest(&self, name: &str) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut loads = seen.iter().rev().filter(|(event, ..)| *event == Event::Load);
        loads.find(|(_, strategy, _)| strategy == name).and_then(|(.., digest)| digest.clone())
    }
}

impl Setup {
    /// The decision log of the state folder.
    pub fn decisions(&self) -> Decisions {
        Decisions::open(self.state())
    }

    /// A strategy by name or path. That a file was let in, or was not, is recorded.
    pub fn strategy(&self, name: &str) -> Result<Arc<Strategy>, Error> {
        let registry = Registry::new(&self.policy);
        let before = self.engine.loader().counts().thrown_away;
        let outcome = registry.strategy(&self.engine, name);
        if self.engine.loader().counts().thrown_away > before {
            self.remark(&format!(
                "compiled code of {name} in {} was not this host's own, or damaged: it was not loaded but \
                 thrown away",
                self.cache.join("code").display()
            ));
        }
        if registry::BUILT_IN.contains(&name) {
            return outcome;
        }
        let mut decision = match &outcome {
            Ok(_) => Decision::new(Event::Load, name, "it fits, and imports only what it is granted"),
            Err(error) if error.blames_strategy() => Decision::new(Event::Refuse, name, error.to_string()),
            Err(_) => return outcome,
        };
        decision.policy.clone_from(&self.policy.digest);
        decision.digest = match &outcome {
            Ok(strategy) => Some(sha256(&strategy.digest)),
            // What cannot be read has none.
            Err(_) => {
                registry.bytes(name).ok().flatten().map(|bytes| sha256(&crate::hex(&Sha256::digest(bytes))))
            }
        };
        if self.recorded.is_new(&decision) {
            self.record_or_warn(&decision);
        }
        outcome
    }

    /// Records a verdict about a strategy, if it is from a file: with this digest, or the one that it was
    /// let in with.
    pub fn record_verdict(
        &self,
        name: &str,
        digest: Option<&str>,
        reason: impl Into<String>,
    ) -> Result<(), Error> {
        if registry::BUILT_IN.contains(&name) {
            return Ok(());
        }
        let mut decision = Decision::new(Event::Verdict, name, reason);
        decision.policy.clone_from(&self.policy.digest);
        decision.digest = digest.map(str::to_owned).or_else(|| self.recorded.digest(name));
        self.decisions().record(&decision).map(|_| ())
    }

    /// Records what a strategy was denied during a run, in one record.
    pub fn record_denials(&self, strategy: &Strategy, denials: Denials) {
        let Some((reason, request)) = denials.first else { return };
        if registry::BUILT_IN.contains(&strategy.name.as_str()) {
            return;
        }
        let mut decision = Decision::new(Event::Deny, strategy.name.as_str(), reason);
        decision.policy.clone_from(&self.policy.digest);
        decision.digest = Some(sha256(&strategy.digest));
        decision.count = Some(denials.count);
        decision.request = Some(request);
        self.record_or_warn(&decision);
    }

    fn record_or_warn(&self, decision: &Decision) {
        if let Err(error) = self.decisions().record(decision) {
            self.remark(&format!("keyhole: this was not recorded in the decision log: {error}"));
        }
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

//! What the threads of one service share, and how a transition is written down.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::background::CancellationToken;
use crate::decisions::{Decision, Decisions, Event};
use crate::deployment::{Deployment, Environment};
use crate::high_water::HighWaterReader;
use crate::lifecycle::Lifecycle;
use crate::persisted_state::PersistedState;
use crate::queue::{Outlet, Queue};
use crate::sampling::Samples;
use keyhole_log::error::Error;

/// Work of the admission pipeline, on idle priority.
pub(super) type Work = Box<dyn FnOnce(&ServiceInner) + Send>;

/// What the threads of one service share.
pub(super) struct ServiceInner {
    pub(super) environment: Environment,
    pub(super) state_folder: PathBuf,
    pub(super) workers: usize,
    pub(super) lifecycle: Lifecycle,
    pub(super) queue: Arc<Queue>,
    pub(super) samples: Samples,
    /// Components to be compiled, and apart from them deployments to be proven: a long proof keeps no check waiting.
    pub(super) checks: Outlet<Work>,
    pub(super) proofs: Outlet<Work>,
    pub(super) high_water: HighWaterReader,
    pub(super) decisions: Decisions,
    /// Held while an order is carried out and written down: one after another. Taken before any other lock.
    pub(super) order: Mutex<()>,
    /// Who is to serve, as long as nobody does.
    pub(super) first: Mutex<Option<First>>,
    /// Cancelled when the service ends.
    pub(super) ended: CancellationToken,
    pub(super) threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The deployment that is to serve first.
pub(super) struct First {
    /// Its scratch has to cover the log before it serves; None where nobody may serve.
    pub(super) active: Option<Arc<Deployment>>,
    pub(super) fallbacks: Vec<Arc<Deployment>>,
    /// Whether the service has served before, so that there may be a deployment to fall back to.
    pub(super) again: bool,
    pub(super) reason: String,
}

impl ServiceInner {
    /// A decision about a deployment, under the policy that is in force.
    pub(super) fn about(&self, event: Event, deployment: &Deployment, reason: impl Into<String>) -> Decision {
        Decision {
            digest: Some(format!("sha256:{}", deployment.digest)),
            ..self.decision(event, &deployment.name, reason)
        }
    }

    /// A decision under the policy that is in force.
    pub(super) fn decision(&self, event: Event, name: &str, reason: impl Into<String>) -> Decision {
        Decision { policy: self.lifecycle.policy().digest.clone(), ..Decision::new(event, name, reason) }
    }

    pub(super) fn record(&self, decision: &Decision) -> Result<(), Error> {
        self.decisions.record(decision).map(|_| ())
    }

    /// Keeps what is active now over a restart. The caller holds the order lock.
    pub(super) fn persist(&self) -> Result<(), Error> {
        let now = self.lifecycle.snapshot();
        // A deployment that cools down would be tried again, so a restart tries it as well.
        let active = now.active().or_else(|| now.cooling_down());
        PersistedState::write(&self.state_folder, active.as_ref(), &now.fallbacks())
    }

    /// Writes down what was done already: what is active, if that was `swapped`, and the decision. Where that
    /// fails it stands among the service's troubles.
    pub(super) fn settle(&self, decision: &Decision, swapped: bool) {
        let _order = self.order.lock();
        // Liars first: one that is known does not come back, whatever the other file says. Where the disk is full, the
        // other one makes room.
        let known = self.environment.liars.write();
        let persisted = if swapped { self.persist() } else { Ok(()) };
        let persisted = persisted.and_then(|()| known.or_else(|_| self.environment.liars.write()));
        let written = persisted.and_then(|()| self.record(decision));
        self.lifecycle.set_unwritten(written.err().map(|error| format!("{}: {error}", decision.reason)));
    }

    /// Has every thread leave.
    pub(super) fn end(&self) {
        self.ended.cancel();
        self.lifecycle.cancel_candidates();
        self.queue.leave();
        self.samples.close();
        self.checks.close();
        self.proofs.close();
    }
}

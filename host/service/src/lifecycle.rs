//! The transitions in the life of a deployment: each is one method of [`Lifecycle`], and one lock guards them
//! all. Nothing here compiles, reads or writes anything: a transition takes microseconds. What goes with it
//! (records, files, connections) is in `transitions` and `staging`.
//!
//! ```text
//! admit ─> Candidate: Checked ─> Indexed ─> Proven ─> Shadow ─> Ready ─ promote ─> Active
//!                        └──────────┴──> Failed <───────┘
//! Active ─ promote of another ─> Fallback ─ promote, rollback ─> Active
//! Active ─ rollback ─> Candidate: Proven
//! Active ─ eject ─> CoolingDown ─> Active        (with nobody to follow)
//! Active, Fallback, Candidate ─ eject, drain, another policy ─> Draining ─> forgotten
//! ```

use std::sync::Arc;
use std::time::Instant;

use arc_swap::{ArcSwapOption, Guard};
use parking_lot::Mutex;

use crate::deployment::Deployment;
use crate::deployments::{Candidate, Deployments, Life, MOST_FALLBACKS, ShadowRun, not_ready};
use crate::ejected::Ejected;
use crate::status::{Failure, Progress, Reloaded, ShadowState, Stage, Staged, Swap};
use keyhole_log::error::Error;
use keyhole_runtime::policy::Policy;

/// A promotion that was planned: it is written down first, and made if nothing has changed by then.
pub(super) struct Promotion {
    pub(super) next: Arc<Deployment>,
    /// The staging of `next`; None for a fallback.
    revision: Option<u64>,
    pub(super) before: Option<Arc<Deployment>>,
    pub(super) fallbacks: Vec<Arc<Deployment>>,
}

/// The swap of a rollback, who serves now, and who did.
pub(super) type RolledBack = (Swap, Arc<Deployment>, Option<Arc<Deployment>>);

/// What another policy means for a deployment.
pub(super) enum Fate {
    Unchanged,
    /// The policy does not let it in any more, for this reason.
    Revoked(String),
    /// It goes on with other grants, as this deployment.
    Regranted(Arc<Deployment>),
}

/// All deployments of a service.
pub(super) struct Lifecycle {
    /// The active deployment, for requests, which take no lock. Stored only while `state` is locked.
    active: ArcSwapOption<Deployment>,
    /// The candidate that is in shadow, likewise.
    shadow: ArcSwapOption<ShadowRun>,
    state: Mutex<Deployments>,
}

impl Lifecycle {
    pub(super) fn new(policy: Arc<Policy>, reference: Arc<Deployment>) -> Self {
        let state = Mutex::new(Deployments::new(policy, reference));
        Self { active: ArcSwapOption::empty(), shadow: ArcSwapOption::empty(), state }
    }

    pub(super) fn active(&self) -> Guard<Option<Arc<Deployment>>> {
        self.active.load()
    }

    pub(super) fn shadow(&self) -> Guard<Option<Arc<ShadowRun>>> {
        self.shadow.load()
    }

    pub(super) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.state.lock().policy)
    }

    /// The trusted strategy that answers are compared with.
    pub(super) fn reference(&self) -> Arc<Deployment> {
        Arc::clone(&self.state.lock().reference)
    }

    /// Fails before the first deployment serves: until then nothing else is changed.
    pub(super) fn have_begun(&self) -> Result<(), Error> {
        let why = "it fills the first strategy's scratch: order again once that serves";
        if self.state.lock().begun { Ok(()) } else { Err(not_ready("the service", why)) }
    }

    /// Everything as it is at one moment.
    pub(super) fn snapshot(&self) -> Deployments {
        self.state.lock().clone()
    }

    /// Why nothing serves, where nothing does.
    pub(super) fn why_nothing(&self) -> Error {
        self.state.lock().why_nothing()
    }

    /// Notes a transition that could not be written down, or that the last one could.
    pub(super) fn set_unwritten(&self, what: Option<String>) {
        self.state.lock().unwritten = what;
    }

    /// Says whose scratch is filled before anybody serves.
    pub(super) fn set_opening(&self, deployment: Option<Arc<Deployment>>) {
        self.state.lock().opening = deployment;
    }

    /// The first deployment becomes active, with those that it can fall back to; or none does, for `reason`.
    pub(super) fn begin(&self, first: Option<&Arc<Deployment>>, fallbacks: &[Arc<Deployment>], reason: &str) {
        let mut state = self.state.lock();
        for fallback in fallbacks {
            state.enter(fallback, Life::Fallback);
        }
        match first {
            Some(first) => state.enter(first, Life::Active),
            None => reason.clone_into(&mut state.nothing),
        }
        self.active.store(first.cloned());
        state.opening = None;
        state.begun = true;
    }

    /// A component that was checked under `policy` becomes a candidate. A candidate of the same name drains,
    /// whatever it has shown.
    pub(super) fn admit(
        &self,
        deployment: &Arc<Deployment>,
        by: String,
        policy: &Arc<Policy>,
    ) -> Result<Candidate, Error> {
        let mut state = self.state.lock();
        if !Arc::ptr_eq(&state.policy, policy) {
            return Err(not_ready(&deployment.name, "the policy changed meanwhile: stage it again"));
        }
        state.stage(deployment, by, Stage::Checked)
    }

    /// Forgets a candidate that nothing will be done about.
    pub(super) fn withdraw(&self, revision: u64) {
        let mut state = self.state.lock();
        if let Some((deployment, _)) = state.candidate(revision) {
            state.remove(&deployment);
        }
    }

    /// How far the proof of a candidate is.
    pub(super) fn progress(&self, revision: u64, stage: Stage, progress: Progress) {
        if let Some((_, candidate)) = self.state.lock().candidate(revision) {
            candidate.staged.stage = stage;
            candidate.staged.progress = Some(progress);
        }
    }

    /// A candidate is proven by so many pages, or failed. False where it is no candidate any more.
    pub(super) fn proven(&self, revision: u64, outcome: Result<u64, Failure>) -> bool {
        let mut state = self.state.lock();
        let Some((deployment, candidate)) = state.candidate(revision) else { return false };
        candidate.staged.progress = None;
        candidate.staged.stage = if outcome.is_ok() { Stage::Proven } else { Stage::Failed };
        candidate.staged.proven_pages = *outcome.as_ref().unwrap_or(&0);
        deployment.set_proven(outcome.is_ok());
        candidate.staged.failure = outcome.err();
        true
    }

    /// A proven candidate goes into the shadow of the active deployment.
    pub(super) fn start_shadow(
        &self,
        name: &str,
        share: f64,
        requests: u64,
    ) -> Result<(Arc<Deployment>, Staged), Error> {
        let mut state = self.state.lock();
        if let Some((other, _)) = state.candidates().find(|(_, other)| other.staged.stage == Stage::Shadow) {
            return Err(not_ready(name, &format!("{} is in shadow: one at a time", other.name)));
        }
        let Some((deployment, candidate)) = state.called(name) else {
            return Err(Error::NoSuchStrategy { name: name.to_owned() });
        };
        if !matches!(candidate.staged.stage, Stage::Proven | Stage::Ready) {
            return Err(not_ready(name, "only a strategy that is proven is shadowed"));
        }
        let run = Arc::new(ShadowRun {
            deployment: Arc::clone(&deployment),
            revision: candidate.staged.revision,
            cancel: Arc::clone(&candidate.cancel),
            figures: Mutex::new(ShadowState { share, requests, ..ShadowState::default() }),
        });
        candidate.staged.stage = Stage::Shadow;
        candidate.shadow = Some(Arc::clone(&run));
        let staged = candidate.staged(&deployment);
        self.shadow.store(Some(run));
        Ok((deployment, staged))
    }

    /// A candidate's shadow came to its end: the candidate is ready, or failed. False where it is no candidate
    /// any more.
    pub(super) fn end_shadow(&self, run: &ShadowRun, failure: Option<Failure>) -> bool {
        let mut state = self.state.lock();
        self.end_shadow_of(&run.deployment);
        let Some((_, candidate)) = state.candidate(run.revision) else { return false };
        candidate.staged.stage = if failure.is_some() { Stage::Failed } else { Stage::Ready };
        candidate.staged.failure = failure;
        if candidate.staged.failure.is_some() {
            candidate.cancel.cancel();
        }
        true
    }

    /// Says what a promotion of that name would do, if that may be.
    pub(super) fn plan_promotion(&self, name: &str, revision: Option<u64>) -> Result<Promotion, Error> {
        let mut state = self.state.lock();
        let before = self.active.load_full();
        let chosen = match state.promotable(name, revision, before.is_some()) {
            Err(Error::NoSuchStrategy { .. }) if before.as_ref().is_some_and(|now| *now.name == *name) => {
                Err(not_ready(name, "it is the active one already"))
            }
            chosen => chosen,
        };
        let (next, revision) = chosen?;
        let mut fallbacks = state.fallbacks();
        fallbacks.extend(before.clone());
        fallbacks.retain(|fallback| !Arc::ptr_eq(fallback, &next) && !fallback.is_ejected());
        fallbacks.drain(..fallbacks.len().saturating_sub(MOST_FALLBACKS));
        Ok(Promotion { next, revision, before, fallbacks })
    }

    /// A ready candidate, or a fallback, becomes active, and the active deployment a fallback. Fails where
    /// something has changed since the promotion was planned.
    pub(super) fn promote(&self, promotion: &Promotion, began: Instant) -> Result<Swap, Error> {
        let Promotion { next, revision, before, fallbacks } = promotion;
        let mut state = self.state.lock();
        let now = self.active.load_full();
        let changed = now.as_ref().map(Arc::as_ptr) != before.as_ref().map(Arc::as_ptr);
        if changed || next.is_ejected() || fallbacks.iter().any(|fallback| fallback.is_ejected()) {
            return Err(not_ready(&next.name, "another swap came in between: look again, and order again"));
        }
        if let Some(revision) = *revision {
            let stays = state.candidate(revision).is_some_and(|(_, candidate)| {
                candidate.staged.stage == Stage::Ready
                    || (now.is_none() && candidate.staged.stage != Stage::Failed)
            });
            if !stays {
                return Err(not_ready(&next.name, "it was staged again, or failed, in between"));
            }
            self.end_shadow_of(next);
        }
        let swap = self.switch(&mut state, Some(next), "promote", began);
        if let Some(before) = before {
            state.enter(before, Life::Fallback);
        }
        state.drain_surplus();
        Ok(swap)
    }

    /// The last fallback becomes active, and the active deployment a proven candidate, which has to be shadowed
    /// before it may serve again. Returns who serves now, and who did.
    pub(super) fn roll_back(&self, began: Instant) -> Result<RolledBack, Error> {
        let mut state = self.state.lock();
        let Some(next) = state.last_fallback() else {
            return Err(not_ready("rollback", "no strategy served before"));
        };
        let before = self.active.load_full();
        let swap = self.switch(&mut state, Some(&next), "rollback", began);
        if let Some(before) = &before {
            // A newer staging of its name is what its operator means by now.
            if state.called(&before.name).is_some()
                || state.stage(before, "rollback".to_owned(), Stage::Proven).is_err()
            {
                state.enter(before, Life::Draining);
            }
        }
        state.drain_surplus();
        Ok((swap, next, before))
    }

    /// A deployment may not serve any more. If it is the active one, the last fallback takes its place, or none
    /// does and it cools down where it may be tried again. One that was refuted takes all with it that have its
    /// component. Returns the reason in full, and the swap if one was made.
    pub(super) fn eject(
        &self,
        deployment: &Arc<Deployment>,
        why: Ejected,
        reason: String,
        may_cool_down: bool,
    ) -> (String, Option<Swap>) {
        let began = Instant::now();
        deployment.eject(why);
        let mut state = self.state.lock();
        let active = self.active.load_full();
        let is_refuted = |other: &Deployment| why == Ejected::Refuted && other.digest == deployment.digest;
        if why == Ejected::Refuted {
            for other in state.those(|life| !matches!(life, Life::Active | Life::Draining)) {
                if is_refuted(&other) {
                    other.eject(why);
                    self.end_shadow_of(&other);
                    state.enter(&other, Life::Draining);
                }
            }
        }
        let Some(deployment) =
            active.as_ref().filter(|active| Arc::ptr_eq(active, deployment) || is_refuted(active))
        else {
            let rests = state.cooling_down().filter(|rests| Arc::ptr_eq(rests, deployment));
            if let Some(rests) = rests.filter(|_| !may_cool_down) {
                state.enter(&rests, Life::Draining);
            }
            if active.is_none() && !may_cool_down {
                state.nothing.clone_from(&reason);
            }
            state.drain_surplus();
            return (reason, None);
        };
        deployment.eject(why);
        let next = state.last_fallback();
        let successor = next.as_ref().map_or("nothing".to_owned(), |next| next.shown());
        let reason = format!("{reason}; {successor} serves");
        let swap = self.switch(&mut state, next.as_ref(), "breaker", began);
        let life = match next {
            None if may_cool_down => Life::CoolingDown(began + deployment.breaker.window()),
            _ => Life::Draining,
        };
        if next.is_none() {
            state.nothing.clone_from(&reason);
        }
        state.enter(deployment, life);
        state.drain_surplus();
        (reason, Some(swap))
    }

    /// A deployment whose cool-down is over becomes active again, if nothing else is.
    pub(super) fn end_cool_down(&self) -> Option<(Arc<Deployment>, Swap)> {
        let began = Instant::now();
        let mut state = self.state.lock();
        let is_due = |life: &Life| matches!(life, Life::CoolingDown(until) if began >= *until);
        let deployment = state.those(is_due).pop()?;
        if self.active.load().is_some() || !deployment.readmit() {
            state.enter(&deployment, Life::Draining);
            return None;
        }
        let swap = self.switch(&mut state, Some(&deployment), "rested", began);
        Some((deployment, swap))
    }

    /// A candidate or a fallback drains, by an operator's order.
    pub(super) fn drain(&self, name: &str) -> Result<Arc<Deployment>, Error> {
        let mut state = self.state.lock();
        let candidate = state.called(name).map(|(candidate, _)| candidate);
        let draining = state.those(Life::is_draining);
        let others = state.fallbacks().into_iter().rev().chain(draining);
        let known = candidate.into_iter().chain(others).find(|known| *known.name == *name);
        let Some(deployment) = known else {
            return Err(match &*self.active.load() {
                Some(active) if *active.name == *name => {
                    not_ready(name, "it serves: promote another one, or roll back, first")
                }
                _ => Error::NoSuchStrategy { name: name.to_owned() },
            });
        };
        self.end_shadow_of(&deployment);
        state.enter(&deployment, Life::Draining);
        Ok(deployment)
    }

    /// Forgets those that drained, and returns them.
    pub(super) fn forget_drained(&self) -> Vec<Arc<Deployment>> {
        let mut state = self.state.lock();
        let drained =
            state.all.extract_if(.., |(deployment, life)| life.is_draining() && deployment.in_flight() == 0);
        drained.map(|(deployment, _)| deployment).collect()
    }

    /// Those that a change of the policy concerns: all that may serve, or come to it.
    pub(super) fn known(&self) -> Vec<Arc<Deployment>> {
        self.state.lock().known()
    }

    /// Another policy is in force, with its reference. Deployments that it revokes are ejected, and those that
    /// it grants something else are replaced; candidates of both kinds drain. None where the deployments are
    /// not those whose fates these are.
    pub(super) fn apply_policy(
        &self,
        policy: &Arc<Policy>,
        reference: &Arc<Deployment>,
        fates: &[(Arc<Deployment>, Fate)],
    ) -> Option<Reloaded> {
        let began = Instant::now();
        let mut state = self.state.lock();
        if !state.known().iter().map(Arc::as_ptr).eq(fates.iter().map(|(known, _)| Arc::as_ptr(known))) {
            return None;
        }
        let mut reloaded = Reloaded { policy: policy.digest.clone(), ..Reloaded::default() };
        if policy.ceilings != state.policy.ceilings {
            reloaded.needs_restart.push("host".to_owned());
        }
        state.policy = Arc::clone(policy);
        state.reference = Arc::clone(reference);
        let before = self.active.load_full();
        let mut next = before.clone();
        for (deployment, fate) in fates {
            deployment.breaker.adjust(policy.serve.failures, policy.serve.within);
            let successor = match fate {
                Fate::Unchanged => continue,
                Fate::Revoked(_) => {
                    deployment.eject(Ejected::Revoked);
                    reloaded.revoked.push(deployment.shown());
                    None
                }
                Fate::Regranted(successor) => {
                    reloaded.regranted.push(deployment.shown());
                    Some(successor)
                }
            };
            if self.is_active(deployment) {
                next = successor.cloned();
            } else {
                self.end_shadow_of(deployment);
                state.succeed(deployment, successor);
            }
        }
        if let Some(before) = &before {
            next = next.or_else(|| state.last_fallback());
            if !next.as_ref().is_some_and(|next| Arc::ptr_eq(next, before)) {
                let why = if before.is_revoked() { "revoked" } else { "regranted" };
                if next.is_none() {
                    "the policy no longer lets in the strategy that served".clone_into(&mut state.nothing);
                }
                self.switch(&mut state, next.as_ref(), why, began);
                state.enter(before, Life::Draining);
            }
        }
        state.drain_surplus();
        reloaded.active = next.map(|next| next.shown());
        Some(reloaded)
    }

    /// Cancels what is being done to candidates: the service ends.
    pub(super) fn cancel_candidates(&self) {
        self.state.lock().candidates().for_each(|(_, candidate)| candidate.cancel.cancel());
    }

    /// Moves the pointer to the active deployment: the one place where that is done once the service has begun.
    /// The caller says what becomes of the deployment that was active.
    fn switch(
        &self,
        state: &mut Deployments,
        next: Option<&Arc<Deployment>>,
        why: &str,
        began: Instant,
    ) -> Swap {
        if let Some(next) = next {
            state.enter(next, Life::Active);
        }
        let before = self.active.swap(next.cloned());
        let took = began.elapsed();
        if let Some(cooling_down) = state.cooling_down() {
            state.enter(&cooling_down, Life::Draining);
        }
        let swap = Swap {
            why: why.to_owned(),
            from: before.map(|before| before.shown()),
            to: next.map(|next| next.shown()),
            took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        };
        state.swaps += 1;
        state.last_swap = Some(swap.clone());
        swap
    }

    fn is_active(&self, deployment: &Arc<Deployment>) -> bool {
        self.active.load().as_ref().is_some_and(|active| Arc::ptr_eq(active, deployment))
    }

    /// No requests are asked again of that deployment, if any are.
    fn end_shadow_of(&self, deployment: &Arc<Deployment>) {
        if self.shadow.load().as_ref().is_some_and(|run| Arc::ptr_eq(&run.deployment, deployment)) {
            self.shadow.store(None);
        }
    }
}

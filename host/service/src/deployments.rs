//! The registry: every deployment, and where it is in its life. Plain data, whose transitions are in `lifecycle`;
//! a copy of it is what there is to see at one moment.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use parking_lot::Mutex;

use crate::background::CancellationToken;
use crate::deployment::Deployment;
use crate::status::{ShadowState, Stage, Staged, Swap};
use keyhole_log::error::Error;
use keyhole_runtime::policy::Policy;

/// How many deployments that served before are kept ready: each keeps its scratch up with the log.
pub(super) const MOST_FALLBACKS: usize = 3;

/// How many candidates there may be.
pub(super) const MOST_STAGED: usize = 64;

/// What is being done to a candidate before it is indexed.
pub(super) const FILLING: &str = "filling its scratch";

/// Where a deployment is in its life.
#[derive(Clone)]
pub(super) enum Life {
    /// It was staged, and has not served yet, or not since a rollback.
    Candidate(Box<Candidate>),
    /// It answers the next request.
    Active,
    /// It served before, in good standing, and may serve again at once.
    Fallback,
    /// Its breaker opened with nobody to follow: it is active again after that moment.
    CoolingDown(Instant),
    /// It answers what it began, and is then forgotten.
    Draining,
}

/// A candidate, and how far it is.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) staged: Staged,
    pub(super) shadow: Option<Arc<ShadowRun>>,
    pub(super) cancel: Arc<CancellationToken>,
}

/// A candidate's time in shadow of the active strategy.
pub(super) struct ShadowRun {
    pub(super) deployment: Arc<Deployment>,
    pub(super) revision: u64,
    pub(super) cancel: Arc<CancellationToken>,
    pub(super) figures: Mutex<ShadowState>,
}

/// Every deployment of a service.
#[derive(Clone)]
pub(super) struct Deployments {
    pub(super) policy: Arc<Policy>,
    /// The trusted strategy that answers are compared with. It has no life: the policy names it.
    pub(super) reference: Arc<Deployment>,
    /// In the order in which each came where it is now.
    pub(super) all: Vec<(Arc<Deployment>, Life)>,
    /// Who will be active once its scratch is filled: at the start, before anybody is.
    pub(super) opening: Option<Arc<Deployment>>,
    pub(super) begun: bool,
    /// Stagings so far.
    revisions: u64,
    pub(super) swaps: u64,
    pub(super) last_swap: Option<Swap>,
    /// Why nothing serves, where nothing does.
    pub(super) nothing: String,
    /// A transition that could not be written down.
    pub(super) unwritten: Option<String>,
}

impl Deployments {
    pub(super) fn new(policy: Arc<Policy>, reference: Arc<Deployment>) -> Self {
        Self {
            policy,
            reference,
            all: Vec::new(),
            opening: None,
            begun: false,
            revisions: 0,
            swaps: 0,
            last_swap: None,
            nothing: String::new(),
            unwritten: None,
        }
    }

    /// Puts a deployment where it is in its life from now on, and nowhere else: every transition ends here.
    pub(super) fn enter(&mut self, deployment: &Arc<Deployment>, life: Life) {
        self.remove(deployment);
        deployment.set_draining(life.is_draining());
        self.all.push((Arc::clone(deployment), life));
    }

    /// Forgets a deployment. Nobody wants to know any more what is found out about a candidate.
    pub(super) fn remove(&mut self, deployment: &Arc<Deployment>) {
        for (_, life) in self.all.extract_if(.., |(known, _)| Arc::ptr_eq(known, deployment)) {
            if let Life::Candidate(candidate) = life {
                candidate.cancel.cancel();
            }
        }
    }

    /// Makes a deployment a candidate. A candidate of the same name drains; where there are too many, the oldest
    /// that failed does, which is of no use to anybody.
    pub(super) fn stage(
        &mut self,
        deployment: &Arc<Deployment>,
        by: String,
        stage: Stage,
    ) -> Result<Candidate, Error> {
        let mut displaced = self.called(&deployment.name).map(|(known, _)| known);
        if displaced.is_none() && self.candidates().count() >= MOST_STAGED {
            let mut failed = self.candidates().filter(|(_, other)| other.staged.stage == Stage::Failed);
            let oldest = failed.next().map(|(oldest, _)| oldest);
            displaced = Some(oldest.ok_or(Error::Overloaded { waiting: MOST_STAGED })?);
        }
        if let Some(displaced) = displaced {
            self.enter(&displaced, Life::Draining);
        }
        self.revisions += 1;
        let staged = Staged {
            name: deployment.name.to_string(),
            digest: deployment.digest.to_string(),
            revision: self.revisions,
            by,
            stage,
            progress: None,
            proven_pages: 0,
            shadow: None,
            failure: None,
        };
        let candidate = Candidate { staged, shadow: None, cancel: Arc::default() };
        self.enter(deployment, Life::Candidate(Box::new(candidate.clone())));
        Ok(candidate)
    }

    /// Puts a successor in a deployment's place, or nobody; the deployment drains. A candidate has no successor:
    /// it goes on from the beginning, or not at all. One that cools down does so with the grants that it has.
    pub(super) fn succeed(&mut self, deployment: &Arc<Deployment>, successor: Option<&Arc<Deployment>>) {
        let place = self.all.iter_mut().find(|(known, _)| Arc::ptr_eq(known, deployment));
        match (place, successor) {
            (Some((_, Life::CoolingDown(_))), None) => return self.remove(deployment),
            (Some((_, Life::CoolingDown(_))), Some(_)) => return,
            (Some((known, Life::Fallback)), Some(successor)) => *known = Arc::clone(successor),
            _ => {}
        }
        self.enter(deployment, Life::Draining);
    }

    /// Has fallbacks drain that were ejected, and the oldest of too many.
    pub(super) fn drain_surplus(&mut self) {
        let (ejected, good): (Vec<_>, Vec<_>) =
            self.fallbacks().into_iter().partition(|known| known.is_ejected());
        let surplus = good.len().saturating_sub(MOST_FALLBACKS);
        for deployment in ejected.iter().chain(&good[..surplus]) {
            self.enter(deployment, Life::Draining);
        }
    }

    /// Who a promotion of that name would make the active one, and which staging of it that is.
    pub(super) fn promotable(
        &mut self,
        name: &str,
        revision: Option<u64>,
        anything_serves: bool,
    ) -> Result<(Arc<Deployment>, Option<u64>), Error> {
        let Some((deployment, candidate)) = self.called(name) else {
            if revision.is_some() {
                return Err(not_ready(name, "it is not staged any more"));
            }
            let mut fallbacks = self.fallbacks();
            fallbacks.retain(|fallback| *fallback.name == *name && !fallback.is_ejected());
            let latest = fallbacks.pop().map(|fallback| (fallback, None));
            return latest.ok_or_else(|| Error::NoSuchStrategy { name: name.to_owned() });
        };
        let staged = candidate.staged.revision;
        if let Some(wanted) = revision.filter(|wanted| *wanted != staged) {
            return Err(not_ready(name, &format!("it was staged again since: {wanted} is now {staged}")));
        }
        let why = match candidate.staged.stage {
            Stage::Ready | Stage::Active => return Ok((deployment, Some(staged))),
            // There is nobody whose shadow it could be in.
            Stage::Proven | Stage::Shadow if !anything_serves => return Ok((deployment, Some(staged))),
            Stage::Failed => "it failed, and will not serve",
            Stage::Shadow => "its shadow is not over",
            Stage::Proven => "it has had no shadow: `strategy shadow` comes first",
            Stage::Staged | Stage::Checked | Stage::Indexed => "it is not proven yet",
        };
        Err(not_ready(name, why))
    }

    pub(super) fn active(&self) -> Option<Arc<Deployment>> {
        self.those(|life| matches!(life, Life::Active)).pop()
    }

    /// Those that served before and may serve again, the latest last.
    pub(super) fn fallbacks(&self) -> Vec<Arc<Deployment>> {
        self.those(|life| matches!(life, Life::Fallback))
    }

    pub(super) fn last_fallback(&self) -> Option<Arc<Deployment>> {
        self.fallbacks().into_iter().rev().find(|fallback| !fallback.is_ejected())
    }

    pub(super) fn cooling_down(&self) -> Option<Arc<Deployment>> {
        self.those(|life| matches!(life, Life::CoolingDown(_))).pop()
    }

    /// All that may serve, or come to it: those that a change of the policy concerns.
    pub(super) fn known(&self) -> Vec<Arc<Deployment>> {
        let mut candidates = self.those(|life| matches!(life, Life::Candidate(_)));
        candidates.sort_by(|one, other| one.name.cmp(&other.name));
        let others = self.fallbacks().into_iter().chain(self.cooling_down()).chain(candidates);
        self.active().into_iter().chain(others).collect()
    }

    pub(super) fn those(&self, wanted: impl Fn(&Life) -> bool) -> Vec<Arc<Deployment>> {
        let those = self.all.iter().filter(|(_, life)| wanted(life));
        those.map(|(deployment, _)| Arc::clone(deployment)).collect()
    }

    pub(super) fn candidates(&mut self) -> impl Iterator<Item = (Arc<Deployment>, &mut Candidate)> {
        self.all.iter_mut().filter_map(|(deployment, life)| match life {
            Life::Candidate(candidate) => Some((Arc::clone(deployment), &mut **candidate)),
            _ => None,
        })
    }

    /// The candidate of that staging.
    pub(super) fn candidate(&mut self, revision: u64) -> Option<(Arc<Deployment>, &mut Candidate)> {
        self.candidates().find(|(_, candidate)| candidate.staged.revision == revision)
    }

    /// The candidate of that name.
    pub(super) fn called(&mut self, name: &str) -> Option<(Arc<Deployment>, &mut Candidate)> {
        self.candidates().find(|(deployment, _)| *deployment.name == *name)
    }

    /// Candidates as they are now, by name.
    pub(super) fn staged(&mut self) -> Vec<Staged> {
        let mut staged: Vec<Staged> =
            self.candidates().map(|(it, candidate)| candidate.staged(&it)).collect();
        staged.sort_by(|one, other| one.name.cmp(&other.name));
        staged
    }

    /// Why nothing serves, where nothing does.
    pub(super) fn why_nothing(&self) -> Error {
        let opening = self.opening.as_ref().map(|opening| {
            let (fed, all) = (opening.filling.fed.load(Relaxed), opening.filling.all.load(Relaxed));
            format!("the scratch of {} is filled first, {fed} of {all} events so far", opening.name)
        });
        Error::NothingServes { why: opening.unwrap_or_else(|| self.nothing.clone()) }
    }
}

impl Life {
    pub(super) fn is_draining(&self) -> bool {
        matches!(self, Self::Draining)
    }

    /// Whether it is a candidate that proved itself: its scratch is kept up with the log.
    pub(super) fn is_proven_candidate(&self) -> bool {
        let stages = [Stage::Proven, Stage::Shadow, Stage::Ready];
        matches!(self, Self::Candidate(candidate) if stages.contains(&candidate.staged.stage))
    }
}

impl Candidate {
    /// How far the candidate is now.
    pub(super) fn staged(&self, deployment: &Deployment) -> Staged {
        let mut staged = self.staged.clone();
        if let Some(filling) = staged.progress.as_mut().filter(|progress| progress.what == FILLING) {
            filling.done = deployment.filling.fed.load(Relaxed);
            filling.all = deployment.filling.all.load(Relaxed);
        }
        staged.shadow = self.shadow.as_ref().map(|run| run.figures.lock().clone());
        staged
    }
}

pub(super) fn not_ready(name: &str, why: &str) -> Error {
    Error::NotReady { name: name.to_owned(), why: why.to_owned() }
}

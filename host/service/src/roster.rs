//! Who serves, who served, and who is on the way: what one order changes, all at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::error::Error;
use crate::policy::Policy;
use crate::service::lane::Stop;
use crate::service::serving::Serving;
use crate::service::shadow::Run;
use crate::service::status::{Failure, Progress, Stage, Staged, Swap};

/// How many of those that served before are kept ready: each keeps its scratch up with the log.
const MOST_GOOD: usize = 3;

/// What is being done to a candidate before it is indexed.
pub(super) const FILLING: &str = "filling its scratch";

/// How many strategies may be on their way.
pub(super) const MOST_STAGED: usize = 64;

/// Everything about strategies but the pointer to the active one, which changes only while this is held.
pub(super) struct Roster {
    pub(super) policy: Arc<Policy>,
    /// Those that served before in good standing, the latest last.
    pub(super) good: Vec<Arc<Serving>>,
    /// Those on their way, by name.
    pub(super) staged: BTreeMap<String, Candidate>,
    /// Those that still answer what they began.
    pub(super) retiring: Vec<Arc<Serving>>,
    /// Taken out by its breaker with nobody to follow: let in again after a rest.
    pub(super) resting: Option<(Arc<Serving>, std::time::Instant)>,
    /// Stagings so far.
    pub(super) revisions: u64,
    pub(super) swaps: u64,
    pub(super) last_swap: Option<Swap>,
    /// Why nothing serves, where nothing does.
    pub(super) nothing: String,
}

/// A strategy on its way.
pub(super) struct Candidate {
    pub(super) revision: u64,
    pub(super) by: String,
    pub(super) stage: Stage,
    pub(super) serving: Arc<Serving>,
    pub(super) progress: Option<Progress>,
    pub(super) proven_pages: u64,
    pub(super) shadow: Option<Arc<Run>>,
    pub(super) failure: Option<Failure>,
    /// Set when nobody wants to know any more.
    pub(super) stop: Arc<Stop>,
}

impl Roster {
    pub(super) fn new(policy: Arc<Policy>) -> Self {
        Self {
            policy,
            good: Vec::new(),
            staged: BTreeMap::new(),
            retiring: Vec::new(),
            resting: None,
            revisions: 0,
            swaps: 0,
            last_swap: None,
            nothing: String::new(),
        }
    }

    /// Puts a strategy on its way. One that is under the same name is dropped, whatever it has shown.
    pub(super) fn stage(&mut self, serving: &Arc<Serving>, by: String, stage: Stage) -> Result<u64, Error> {
        if self.staged.len() >= MOST_STAGED && !self.staged.contains_key(&*serving.name) {
            self.forget_failed();
        }
        if self.staged.len() >= MOST_STAGED && !self.staged.contains_key(&*serving.name) {
            return Err(Error::Overloaded { waiting: MOST_STAGED });
        }
        self.revisions += 1;
        let candidate = Candidate {
            revision: self.revisions,
            by,
            stage,
            serving: Arc::clone(serving),
            progress: None,
            proven_pages: 0,
            shadow: None,
            failure: None,
            stop: Arc::default(),
        };
        if let Some(before) = self.staged.insert(serving.name.to_string(), candidate) {
            before.stop.stop();
            self.let_go(before.serving);
        }
        Ok(self.revisions)
    }

    /// Makes room: the oldest that failed is of no use to anybody.
    fn forget_failed(&mut self) {
        let failed = self.staged.values().filter(|candidate| candidate.stage == Stage::Failed);
        let oldest = failed.min_by_key(|candidate| candidate.revision);
        if let Some(name) = oldest.map(|candidate| candidate.serving.name.to_string())
            && let Some(candidate) = self.unstage(&name)
        {
            self.let_go(candidate.serving);
        }
    }

    /// The candidate of that name, if it still is that staging of it.
    pub(super) fn candidate(&mut self, name: &str, revision: u64) -> Option<&mut Candidate> {
        self.staged.get_mut(name).filter(|candidate| candidate.revision == revision)
    }

    /// Takes a candidate off the way.
    pub(super) fn unstage(&mut self, name: &str) -> Option<Candidate> {
        let candidate = self.staged.remove(name)?;
        candidate.stop.stop();
        Some(candidate)
    }

    /// Who a promotion of that name would make the active one, and as which staging.
    pub(super) fn promotable(
        &self,
        name: &str,
        revision: Option<u64>,
        anything_serves: bool,
    ) -> Result<(Arc<Serving>, Option<u64>), Error> {
        let not = |why: String| Err(Error::NotReady { name: name.to_owned(), why });
        if let Some(candidate) = self.staged.get(name) {
            if let Some(wanted) = revision.filter(|wanted| *wanted != candidate.revision) {
                return not(format!("it was staged again since: {wanted} is now {}", candidate.revision));
            }
            return match candidate.stage {
                Stage::Ready | Stage::Active => {
                    Ok((Arc::clone(&candidate.serving), Some(candidate.revision)))
                }
                // There is nobody whose shadow it could be in.
                Stage::Proven | Stage::Shadow if !anything_serves => {
                    Ok((Arc::clone(&candidate.serving), Some(candidate.revision)))
                }
                Stage::Failed => not("it failed, and will not serve".to_owned()),
                Stage::Shadow => not("its shadow is not over".to_owned()),
                Stage::Proven => not("it has had no shadow: `strategy shadow` comes first".to_owned()),
                Stage::Staged | Stage::Checked | Stage::Indexed => not("it is not proven yet".to_owned()),
            };
        }
        if revision.is_some() {
            return not("it is not staged any more".to_owned());
        }
        match self.good.iter().rev().find(|serving| *serving.name == *name && !serving.is_out()) {
            Some(serving) => Ok((Arc::clone(serving), None)),
            None => Err(Error::NoSuchStrategy { name: name.to_owned() }),
        }
    }

    /// The latest of those that served before and may serve again.
    pub(super) fn last_good(&self) -> Option<Arc<Serving>> {
        self.good.iter().rev().find(|serving| !serving.is_out()).cloned()
    }

    /// Those that would be kept as good ones if `next` took the place of `now`.
    pub(super) fn good_after(&self, now: Option<&Arc<Serving>>, next: &Arc<Serving>) -> Vec<Arc<Serving>> {
        let others = self.good.iter().chain(now).filter(|serving| !Arc::ptr_eq(serving, next));
        let mut good: Vec<Arc<Serving>> = others.filter(|serving| !serving.is_out()).cloned().collect();
        let most = good.len().saturating_sub(MOST_GOOD);
        good.drain(..most);
        good
    }

    /// Replaces the good ones; those that are none any more are let go.
    pub(super) fn set_good(&mut self, good: Vec<Arc<Serving>>, active: Option<&Arc<Serving>>) {
        let before = std::mem::replace(&mut self.good, good);
        for serving in before {
            let kept = self.good.iter().chain(active).any(|kept| Arc::ptr_eq(kept, &serving));
            if !kept {
                self.let_go(serving);
            }
        }
    }

    /// Lets go of a strategy: it answers what it began, and then nobody holds it.
    pub(super) fn let_go(&mut self, serving: Arc<Serving>) {
        serving.retire(true);
        if !self.retiring.iter().any(|known| Arc::ptr_eq(known, &serving)) {
            self.retiring.push(serving);
        }
    }

    /// Forgets those that have answered everything.
    pub(super) fn drop_drained(&mut self) -> Vec<Arc<Serving>> {
        self.retiring.extract_if(.., |serving| serving.in_flight() == 0).collect()
    }
}

impl Candidate {
    /// It as plain data.
    pub(super) fn staged(&self) -> Staged {
        let filling = &self.serving.filling;
        let progress = self.progress.clone().map(|progress| {
            if progress.what != FILLING {
                return progress;
            }
            Progress { done: filling.fed.load(Relaxed), all: filling.all.load(Relaxed), ..progress }
        });
        Staged {
            name: self.serving.name.to_string(),
            digest: self.serving.digest.to_string(),
            revision: self.revision,
            by: self.by.clone(),
            stage: self.stage,
            progress,
            proven_pages: self.proven_pages,
            shadow: self.shadow.as_ref().map(|run| run.state()),
            failure: self.failure.clone(),
        }
    }
}

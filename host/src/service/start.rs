//! The start of the service: who serves at first, and the threads.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::decisions::{Decision, Decisions, Event};
use crate::error::Error;
use crate::registry::BUILT_IN;
use crate::service::breaker::Breaker;
use crate::service::kept::Kept;
use crate::service::lab::{self, Lab, Work};
use crate::service::lane::Stop;
use crate::service::moves::{Moved, shown};
use crate::service::pool::Queue;
use crate::service::roster::Roster;
use crate::service::serving::Serving;
use crate::service::shadow::Samples;
use crate::service::status::Stage;
use crate::service::water::Water;
use crate::service::{Config, House, Lane, WAITING_A_WORKER, compare, desk};
use crate::strategy::Strategy;

/// Uncovered events of the active strategy's scratch beyond which the service is not ready: from there on a
/// page has to wait for a refresh.
pub(super) const LONGEST_LAG: u64 = 5_000;

/// How often the caretaker looks after what no request does.
const ROUND: Duration = Duration::from_millis(250);

pub(super) fn open(config: Config, lane: Lane) -> Result<Arc<House>, Error> {
    let Config { policy, engine, log, state, cache, instances, workers, queue } = config;
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let workers = workers.unwrap_or(cores).max(1);
    let kept = Kept::read(&state)?;
    let (lab, benches) = Lab::new();
    let (share, policy) = (policy.serve.reference_share, Arc::new(policy));
    let decisions = Decisions::open(&state);
    // Until the policy's own is there: it takes the same path as every other strategy.
    let own_reference = {
        let grants = policy.built_in("native-baseline").unwrap_or_else(|| policy.local());
        let native = Strategy::native_baseline("native-baseline", crate::registry::BASELINE, grants);
        Serving::new(native, None, Arc::default(), None, Breaker::new(1, ROUND))
    };
    let house = Arc::new(House {
        water: Water::new(&log),
        engine,
        log,
        state_folder: state,
        cache,
        instances,
        workers,
        lane,
        active: ArcSwapOption::empty(),
        reference: ArcSwap::new(own_reference),
        roster: Mutex::new(Roster::new(Arc::clone(&policy))),
        desk: Mutex::new(()),
        queue: Queue::new(queue.unwrap_or(workers * WAITING_A_WORKER)),
        samples: Arc::new(Samples::new(share)),
        lab,
        decisions,
        unwritten: Mutex::new(None),
        over: Stop::default(),
        threads: Mutex::new(Vec::new()),
    });
    house.reference.store(house.reference_under(&policy)?);
    match kept {
        Some(kept) => house.take_up(&kept)?,
        None => house.begin()?,
    }
    house.start_threads(benches)?;
    if let Some(active) = house.active.load_full().filter(|active| !active.proven.load(Relaxed)) {
        house.lab.give(Work::ProveActive { serving: active })?;
    }
    Ok(house)
}

impl House {
    /// The first start: the policy says who serves.
    fn begin(&self) -> Result<(), Error> {
        let policy = Arc::clone(&self.roster().policy);
        let found = crate::registry::Registry::new(&policy).find(&policy.serve.active)?;
        let serving = self.check(&policy, found)?;
        // What the binary carries is taken as proven: the tests of the project prove it. Anything else is proven
        // while it serves.
        serving.proven.store(BUILT_IN.contains(&&*serving.name), Relaxed);
        self.fill(&serving)?;
        self.active.store(Some(Arc::clone(&serving)));
        self.keep_as_it_is()?;
        self.record(&self.about(Event::Swap, &serving, "the service starts: the policy names it"))
    }

    /// A later start: what served goes on serving, if the policy still lets it in.
    fn take_up(&self, kept: &Kept) -> Result<(), Error> {
        let policy = Arc::clone(&self.roster().policy);
        let mut good = Vec::new();
        for name in &kept.good {
            // One that cannot come back is not one to fall back to.
            if let Ok(serving) = self.restore(&policy, name) {
                good.push(serving);
            }
        }
        let mut reason = "the service starts: it served before".to_owned();
        let active = match &kept.active {
            None => None,
            Some(name) => {
                match self.restore(&policy, name).and_then(|serving| self.fill(&serving).map(|()| serving)) {
                    Ok(serving) => Some(serving),
                    Err(error) if is_its_own(&error) => {
                        reason = format!("the service starts: {} may not serve any more: {error}", name.name);
                        let decision = Decision {
                            digest: Some(format!("sha256:{}", name.digest)),
                            policy: policy.digest.clone(),
                            ..Decision::new(Event::Refuse, name.name.as_str(), error.to_string())
                        };
                        self.record(&decision)?;
                        None
                    }
                    Err(error) => return Err(error.during(format!("starting {}", name.name))),
                }
            }
        };
        let active = match active {
            None if kept.active.is_some() => good.pop(),
            active => active,
        };
        let subject = active.as_ref().map_or(String::new(), |active| active.name.to_string());
        {
            let mut roster = self.roster();
            roster.good = good;
            if active.is_none() {
                roster.nothing.clone_from(&reason);
            }
            self.active.store(active.clone());
        }
        if let Some(active) = &active {
            self.fill(active)?;
            reason = format!("{reason}; {} serves", shown(active));
        }
        self.keep_as_it_is()?;
        let decision =
            Decision { policy: policy.digest.clone(), ..Decision::new(Event::Swap, subject, reason) };
        self.record(&decision)
    }

    /// Sees to it that a strategy's scratch covers the log.
    pub(super) fn fill(&self, serving: &Serving) -> Result<(), Error> {
        let Some(scratch) = &serving.scratch else { return Ok(()) };
        let level = self.water.level();
        scratch.ensure_filled().map_err(|error| {
            crate::policy::lines::of_refresh(error, &serving.name, &serving.strategy.grants)
        })?;
        serving.filled(level.unwrap_or(0));
        Ok(())
    }

    fn start_threads(self: &Arc<Self>, benches: lab::Benches) -> Result<(), Error> {
        let mut threads = Vec::new();
        for _ in 0..self.workers {
            let (queue, house) = (Arc::clone(&self.queue), Arc::downgrade(self));
            threads.push(thread("serve", move || desk::work(&queue, &house))?);
        }
        let (samples, house) = (Arc::clone(&self.samples), Arc::downgrade(self));
        threads.push(thread("compare", move || compare::work(&samples, &house))?);
        for (name, bench) in [("check", benches.checks), ("prove", benches.proofs)] {
            let house = Arc::downgrade(self);
            threads.push(thread(name, move || lab::work(&bench, &house))?);
        }
        let house = Arc::downgrade(self);
        threads.push(thread("caretaker", move || take_care(&house))?);
        *self.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = threads;
        Ok(())
    }

    /// Whatever no request sees to: rests that are over, scratch that nobody asks pages of, strategies that
    /// have answered everything.
    fn round(&self) {
        self.end_rest();
        let drained = self.roster().drop_drained();
        for serving in drained {
            let reason = format!("let go: it has answered all of its {} requests", serving.answered());
            self.settle(&Moved::told(self.about(Event::Stage, &serving, reason)));
        }
        let Ok(level) = self.water.level() else { return };
        let kept: Vec<Arc<Serving>> = {
            let roster = self.roster();
            let proven = [Stage::Proven, Stage::Shadow, Stage::Ready];
            let staged = roster.staged.values().filter(|candidate| proven.contains(&candidate.stage));
            let staged = staged.map(|candidate| &candidate.serving);
            self.active().iter().chain(&roster.good).chain(staged).cloned().collect()
        };
        for serving in kept {
            if self.over.is_stopped() {
                return;
            }
            serving.keep_up(level);
        }
    }
}

fn take_care(house: &Weak<House>) {
    if let Some(house) = house.upgrade() {
        house.give_way();
    }
    loop {
        match house.upgrade() {
            Some(house) if !house.over.is_stopped() => house.round(),
            _ => return,
        }
        std::thread::sleep(ROUND);
    }
}

/// Whether an error means that this strategy may not serve, rather than that nothing can.
fn is_its_own(error: &Error) -> bool {
    error.blames_strategy()
        || matches!(error, Error::NoSuchStrategy { .. } | Error::NotReady { .. } | Error::BadState { .. })
        || matches!(error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|source| Error::io("a thread of the service", source))
}

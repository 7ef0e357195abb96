//! The start of the service: who serves at first, and the threads.

use std::sync::atomic::{
    AtomicBool,
    Ordering::{Relaxed, Release},
};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::decisions::{Decision, Decisions, Event};
use crate::error::Error;
use crate::registry::BUILT_IN;
use crate::service::breaker::Breaker;
use crate::service::kept::{Kept, Known};
use crate::service::lab::{self, Lab, Work};
use crate::service::lane::Stop;
use crate::service::moves::{Moved, shown};
use crate::service::pool::Queue;
use crate::service::roster::Roster;
use crate::service::serving::{Serving, nothing_serves};
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

/// Who is to serve, as long as nobody does.
pub(super) struct Chosen {
    /// The strategy, whose scratch has to cover the log first.
    active: Option<Arc<Serving>>,
    /// Those that served before in good standing, the latest last.
    good: Vec<Arc<Serving>>,
    /// Whether the service has served before, so that there may be one to fall back to.
    again: bool,
    reason: String,
}

/// Makes a service that knows who is to serve. Nobody does until [`House::serve_first`].
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
        filling: ArcSwapOption::empty(),
        chosen: Mutex::new(None),
        begun: AtomicBool::new(false),
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
    house.reference.store(house.reference_named(&policy)?);
    let chosen = match kept {
        Some(kept) => house.take_up(&kept)?,
        None => house.first()?,
    };
    house.filling.store(chosen.active.clone());
    *house.chosen.lock().unwrap_or_else(PoisonError::into_inner) = Some(chosen);
    house.start_threads(benches)?;
    Ok(house)
}

impl House {
    /// The first start: the policy says who serves.
    fn first(&self) -> Result<Chosen, Error> {
        let policy = Arc::clone(&self.roster().policy);
        let found = crate::registry::Registry::new(&policy).find(&policy.serve.active)?;
        let serving = self.check(&policy, found)?;
        // What the binary carries is taken as proven: the tests of the project prove it. Anything else is proven
        // while it serves.
        serving.proven.store(BUILT_IN.contains(&&*serving.name), Relaxed);
        let reason = "the service starts: the policy names it".to_owned();
        Ok(Chosen { active: Some(serving), good: Vec::new(), again: false, reason })
    }

    /// A later start: what served goes on serving, if the policy still lets it in.
    fn take_up(&self, kept: &Kept) -> Result<Chosen, Error> {
        let policy = Arc::clone(&self.roster().policy);
        // One that cannot come back is not one to fall back to.
        let good: Vec<_> = kept.good.iter().filter_map(|name| self.restore(&policy, name).ok()).collect();
        let reason = "the service starts: it served before".to_owned();
        let mut chosen = Chosen { active: None, good, again: true, reason };
        if let Some(name) = &kept.active {
            match self.restore(&policy, name) {
                Ok(serving) => chosen.active = Some(serving),
                Err(error) if is_its_own(&error) => self.pass_over(&mut chosen, name, &error)?,
                Err(error) => return Err(error.during(format!("starting {}", name.name))),
            }
        }
        Ok(chosen)
    }

    /// Whoever was to serve may not: the last good one is to.
    fn pass_over(&self, chosen: &mut Chosen, name: &Known, error: &Error) -> Result<(), Error> {
        chosen.reason = format!("the service starts: {} may not serve any more: {error}", name.name);
        chosen.active = chosen.good.pop();
        let decision = Decision {
            digest: Some(format!("sha256:{}", name.digest)),
            policy: self.roster().policy.digest.clone(),
            ..Decision::new(Event::Refuse, name.name.as_str(), error.to_string())
        };
        self.record(&decision)
    }

    /// Fills the scratch of whoever is to serve, which may take minutes on a long log, and has it serve.
    pub(super) fn serve_first(&self) -> Result<(), Error> {
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut chosen) = chosen else { return Ok(()) };
        while let Some(active) = chosen.active.clone() {
            match self.fill(&active) {
                Ok(()) => break,
                Err(error) if chosen.again && is_its_own(&error) => {
                    self.pass_over(&mut chosen, &Known::of(&active), &error)?;
                    self.filling.store(chosen.active.clone());
                }
                Err(error) if chosen.again => return Err(error.during(format!("starting {}", active.name))),
                Err(error) => return Err(error),
            }
        }
        if let Some(scratch) = &self.reference().scratch {
            scratch.ensure_filled()?;
        }
        if self.over.is_stopped() {
            return Err(Error::ShuttingDown);
        }
        let Chosen { active, good, again, mut reason } = chosen;
        let subject = active.as_ref().map_or(String::new(), |active| active.name.to_string());
        {
            let mut roster = self.roster();
            roster.good = good;
            if active.is_none() {
                roster.nothing.clone_from(&reason);
            }
            self.active.store(active.clone());
            self.filling.store(None);
        }
        self.begun.store(true, Release);
        self.keep_as_it_is()?;
        if again && let Some(active) = &active {
            reason = format!("{reason}; {} serves", shown(active));
        }
        let digest = active.as_ref().filter(|_| !again).map(|active| format!("sha256:{}", active.digest));
        let policy = self.roster().policy.digest.clone();
        self.record(&Decision { digest, policy, ..Decision::new(Event::Swap, subject, reason) })?;
        match active.filter(|active| !active.proven.load(Relaxed)) {
            Some(serving) => self.lab.give(Work::ProveActive { serving }),
            None => Ok(()),
        }
    }

    /// Why nothing serves: nothing does yet, or whatever `roster` says of it.
    pub(super) fn why_nothing(&self, roster: &Roster) -> Error {
        match &*self.filling.load() {
            Some(filling) => nothing_serves(&format!(
                "the scratch of {} is filled first, {} of {} events so far",
                filling.name,
                filling.filling.fed.load(Relaxed),
                filling.filling.all.load(Relaxed)
            )),
            None => nothing_serves(&roster.nothing),
        }
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
        let replaced = self.water.replaced();
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
            if replaced.is_some() {
                // What fits the file before need not fit this one. A failure is met by the next round again.
                if self.fill(&serving).is_err() {
                    return;
                }
            } else {
                serving.keep_up(level);
            }
        }
        if let Some(path) = replaced {
            self.water.settled(&path);
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

//! The service: pages answered by one strategy at a time, which is swapped for another without a request that
//! fails, waits or mixes the two.
//!
//! ```text
//! staged ── checked ── indexed ── proven ── shadow ── ready ── active ── retiring
//!    (policy, world,   (scratch)  (verify)  (live     (may be      (answers what it
//!     compiled apart)                        requests) promoted)    began, then goes)
//! ```
//!
//! One pointer says who is active. A request takes a reference from it when it comes, and keeps it, so a swap
//! touches no request that is under way. All guest code runs on operating-system threads: the workers' at
//! ordinary priority for the strategy that serves, the lab's and the lane's at idle priority for all others.

mod breaker;
mod compare;
mod desk;
mod kept;
mod lab;
mod lane;
mod moves;
pub mod orders;
pub mod pending;
mod pool;
mod proof;
mod reload;
mod roster;
mod serving;
mod shadow;
mod start;
pub mod status;
mod water;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Acquire};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::decisions::{Decision, Decisions, Event};
use crate::engine::Engine;
use crate::error::Error;
use crate::log::Log;
use crate::page::PageRequest;
use crate::policy::Policy;
use crate::strategy::{Instances, Worker};

use lab::Lab;
use lane::Stop;
use moves::Moved;
use orders::{Done, Order};
pub use pending::{Answered, Pending};
use pool::Queue;
use roster::Roster;
pub use serving::Serving;
use shadow::{Sample, Samples};
use start::Chosen;
use status::{Drained, Reloaded, State, Trouble};
use water::Water;

/// Requests that may wait, for each worker: some milliseconds of pages, half a second of slow ones.
const WAITING_A_WORKER: usize = 32;

/// How long `drain` waits for requests that were begun; each ends by its own budget before that.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);

/// What a service is made of.
pub struct Config {
    /// What strategies are granted, and what is to serve.
    pub policy: Policy,
    /// The process's engine.
    pub engine: Engine,
    /// The log that pages are of.
    pub log: Log,
    /// Where the decision log lies, and what is active.
    pub state: PathBuf,
    /// Where scratch lies.
    pub cache: PathBuf,
    /// How instances live where a policy does not say.
    pub instances: Instances,
    /// Worker threads; as many as cores, if none is named.
    pub workers: Option<usize>,
    /// Requests that may wait for one.
    pub queue: Option<usize>,
}

/// Which time strategies get that do not serve: candidates, and what is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lane {
    /// What nobody else wants.
    #[default]
    Idle,
    /// Like everything else, where no request must be hurried.
    Normal,
}

/// A running service. Cheap to clone; all clones are the same service.
#[derive(Clone)]
pub struct Service {
    house: Arc<Owned>,
}

/// What ends the service when the last clone of it is dropped.
struct Owned(Arc<House>);

impl std::ops::Deref for Owned {
    type Target = House;

    fn deref(&self) -> &House {
        &self.0
    }
}

impl Drop for Owned {
    /// Without a shutdown nobody is waited for: what is under way is cut, and threads leave by themselves.
    fn drop(&mut self) {
        self.0.end();
        self.0.queue.cut();
    }
}

/// What the service's threads share.
pub(crate) struct House {
    engine: Engine,
    log: Log,
    state_folder: PathBuf,
    cache: PathBuf,
    instances: Instances,
    workers: usize,
    lane: Lane,
    /// Who answers the next request. Stored only while the roster is held.
    active: ArcSwapOption<Serving>,
    /// Who will, once its scratch is filled: at the start, before anybody does.
    filling: ArcSwapOption<Serving>,
    chosen: Mutex<Option<Chosen>>,
    /// Set once somebody serves, or it is known that nobody does.
    begun: AtomicBool,
    reference: ArcSwap<Serving>,
    roster: Mutex<Roster>,
    /// Held by whoever carries out an order and writes it down: one after another.
    desk: Mutex<()>,
    queue: Arc<Queue>,
    samples: Arc<Samples>,
    lab: Lab,
    water: Water,
    decisions: Decisions,
    /// A move that could not be written down.
    unwritten: Mutex<Option<String>>,
    /// Set when the service ends.
    over: Stop,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Service {
    /// Starts a service: with the strategy that was active when it ended, or with the policy's. Fills that
    /// one's scratch first.
    pub fn open(config: Config) -> Result<Self, Error> {
        Self::open_at(config, Lane::Idle)
    }

    /// The same, with strategies that do not serve on this priority.
    pub fn open_at(config: Config, lane: Lane) -> Result<Self, Error> {
        let service = start::open(config, lane).map(|house| Self { house: Arc::new(Owned(house)) })?;
        service.fill()?;
        Ok(service)
    }

    /// Makes a service that answers with `NothingServes` until [`Service::fill`] is done.
    pub fn prepare(config: Config) -> Result<Self, Error> {
        start::open(config, Lane::Idle).map(|house| Self { house: Arc::new(Owned(house)) })
    }

    /// Fills the scratch of the strategy that is to serve, which may take minutes on a long log, and has it
    /// serve. Blocks.
    pub fn fill(&self) -> Result<(), Error> {
        self.house.serve_first()
    }

    /// Has a request answered by the strategy that is active now. Returns at once; fails at once with
    /// `Overloaded`, `NothingServes` or `ShuttingDown`.
    pub fn submit(&self, request: PageRequest) -> Result<Pending, Error> {
        match self.house.active.load().as_ref() {
            Some(serving) => self.house.queue.enter(request, serving),
            None => Err(self.house.why_nothing(&self.house.roster())),
        }
    }

    /// The name and the digest of the strategy that is active now.
    pub fn active(&self) -> Option<(Arc<str>, Arc<str>)> {
        let active = self.house.active.load();
        active.as_ref().map(|serving| (Arc::clone(&serving.name), Arc::clone(&serving.digest)))
    }

    /// The log's largest id, without running a strategy: some ten microseconds. May wait for a commit of the
    /// writer's, up to 0.4 s, and then fails with `Busy`.
    pub fn high_water(&self) -> Result<i64, Error> {
        self.house.water.level()
    }

    /// How the service is doing.
    pub fn state(&self) -> State {
        self.house.state()
    }

    /// Carries out an order of an operator's. Blocks: for the check of a component, for what a drained
    /// strategy has begun.
    pub fn carry_out(&self, order: Order) -> Result<Done, Error> {
        let house = &self.house;
        if house.over.is_stopped() && order != Order::List {
            return Err(Error::ShuttingDown);
        }
        if order != Order::List {
            house.have_begun()?;
        }
        match order {
            Order::List => Ok(Done::List(Box::new(house.state()))),
            Order::Stage { strategy, name, by } => {
                house.stage(&strategy, name.as_deref(), by).map(|staged| Done::Staged(Box::new(staged)))
            }
            Order::Shadow { name, share, requests, by } => {
                house.shadow(&name, share, requests, by).map(|staged| Done::Staged(Box::new(staged)))
            }
            Order::Promote { name, revision, by } => house.promote(&name, revision, by).map(Done::Swapped),
            Order::Rollback { by } => house.rollback(by).map(Done::Swapped),
            Order::Drain { name, by } => house.drain(&name, by, DRAIN_PATIENCE),
        }
    }

    /// Puts another policy in force, all of it or, with an error, nothing. A strategy that it no longer lets
    /// in does not serve from then on.
    pub fn reload(&self, policy: Policy) -> Result<Reloaded, Error> {
        self.house.reload(policy)
    }

    /// Ends the service: lets nobody in, answers whom it can until the deadline, and cuts the rest.
    pub fn shutdown(&self, deadline: Duration) -> Drained {
        self.house.shutdown(deadline)
    }
}

impl House {
    /// Puts the calling thread on the priority of strategies that do not serve. Where the system refuses it,
    /// what they do comes at ordinary priority: it is bounded by the same limits.
    fn give_way(&self) {
        if self.lane == Lane::Idle {
            let _ = crate::strategy::lane::idle();
        }
    }

    /// Fails before the first strategy serves: until then nothing else is changed.
    fn have_begun(&self) -> Result<(), Error> {
        if self.begun.load(Acquire) {
            return Ok(());
        }
        Err(moves::not_ready(
            "the service",
            "it fills the first strategy's scratch: order again once that serves",
        ))
    }

    fn active(&self) -> Option<Arc<Serving>> {
        self.active.load_full()
    }

    fn reference(&self) -> Arc<Serving> {
        self.reference.load_full()
    }

    fn worker(&self, serving: &Serving) -> Worker {
        serving.worker(&self.engine, self.instances, &self.log)
    }

    fn sample(&self, serving: &Arc<Serving>, page: &Result<crate::page::Page, Error>) -> Option<Sample> {
        self.samples.draw(serving, page.as_ref().ok()?, &self.log)
    }

    /// What remains to be done for a request that has been answered.
    fn after(&self, moved: Option<Moved>, sample: Option<Sample>) {
        if let Some(sample) = sample {
            self.samples.put(sample);
        }
        if let Some(moved) = moved {
            self.settle(&moved);
        }
    }

    fn state(&self) -> State {
        let level = self.water.level();
        let high_water = level.as_ref().ok().copied();
        let reference = self.reference();
        let roster = self.roster();
        let standing = |serving: &Arc<Serving>| serving.standing(high_water);
        let active = self.active();
        let mut troubles = Vec::new();
        let mut trouble = |error: &Error| {
            troubles.push(Trouble {
                code: error.code().to_owned(),
                message: error.to_string(),
                fix: error.fix().map(str::to_owned),
            });
        };
        match &active {
            None => trouble(&self.why_nothing(&roster)),
            Some(active) if !moves::is_proven(active) => {
                trouble(&moves::not_ready(&active.name, "it serves, and is not proven yet"));
            }
            Some(_) => {}
        }
        match (&level, self.water.replaced()) {
            (Err(error), _) => trouble(error),
            (Ok(_), Some(path)) => trouble(&Error::LogReplaced { path }),
            (Ok(_), None) => {}
        }
        let active = active.as_ref().map(standing);
        if let Some(Some(scratch)) = active.as_ref().map(|active| &active.scratch)
            && scratch.lag > start::LONGEST_LAG
        {
            trouble(&Error::ScratchUnfit { why: format!("it lags {} events behind", scratch.lag) });
        }
        if self.over.is_stopped() {
            trouble(&Error::ShuttingDown);
        }
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(what) = unwritten {
            trouble(&Error::Engine(format!("it was done, and could not be written down: {what}")));
        }
        State {
            ready: troubles.is_empty(),
            troubles,
            active,
            good: roster.good.iter().rev().map(standing).collect(),
            staged: roster.staged.values().map(roster::Candidate::staged).collect(),
            retiring: roster.retiring.iter().map(standing).collect(),
            swaps: roster.swaps,
            last_swap: roster.last_swap.clone(),
            compared: self.samples.compared(&reference.name),
            workers: self.workers,
            queued: self.queue.waiting(),
            queue_limit: self.queue.limit(),
            shed: self.queue.shed(),
            high_water,
            policy: roster.policy.digest.clone(),
        }
    }

    fn shutdown(&self, deadline: Duration) -> Drained {
        let until = Instant::now() + deadline;
        let had = self.queue.close();
        let left = || until.saturating_duration_since(Instant::now());
        let cut = self.queue.settle(left());
        self.end();
        if cut > 0 {
            self.queue.cut();
            self.queue.settle(Duration::from_secs(1));
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let patience = Instant::now() + Duration::from_millis(500);
        for thread in threads {
            // One that is in the middle of a fill or a compilation ends with the process.
            while !thread.is_finished() && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
        let finished = had.saturating_sub(cut);
        let reason = format!(
            "the service ended: {had} requests were on their way, {finished} were answered, {cut} cut"
        );
        let decision = Decision {
            policy: self.roster().policy.digest.clone(),
            count: u64::try_from(finished).ok(),
            ..Decision::new(Event::Stage, "", reason)
        };
        let head = self.decisions.record(&decision).ok().map(|head| head.to_string());
        Drained { had: had as u64, finished: finished as u64, cut: cut as u64, head }
    }

    /// Tells every thread to leave.
    fn end(&self) {
        self.over.stop();
        for candidate in self.roster().staged.values() {
            candidate.stop.stop();
        }
        self.queue.leave();
        self.samples.leave();
        self.lab.close();
    }

    fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn desk(&self) -> MutexGuard<'_, ()> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! A handle on a running service, as its front ends see it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::decisions::{Decision, Event};
use crate::deployment::{Deployment, Lane};
use crate::deployments::{Life, not_ready};
use crate::inner::ServiceInner;
use crate::orders::{Done, Order};
use crate::queue::Pending;
use crate::start::{self, Config};
use crate::status::{Compared, Drained, Reloaded, State, Trouble};
use crate::{reload, staging, transitions};
use keyhole_log::error::Error;
use keyhole_log::model::PageRequest;
use keyhole_runtime::policy::Policy;

/// How long `drain` waits for requests that were begun; each ends by its own budget before that.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);

/// Uncovered events of the active strategy's scratch beyond which the service is not ready: from there on a
/// page has to wait for a refresh.
const LONGEST_LAG: u64 = 5_000;

/// A running service. Cheap to clone; all clones are the same service.
#[derive(Clone)]
pub struct Service(Arc<Owned>);

/// Ends the service when the last clone of it is dropped.
struct Owned(Arc<ServiceInner>);

impl Drop for Owned {
    /// Without a shutdown nobody is waited for: what is under way is cut, and threads leave by themselves.
    fn drop(&mut self) {
        self.0.end();
        self.0.queue.cut();
    }
}

impl Service {
    /// Starts a service: with the strategy that was active when it ended, or with the policy's. Fills that
    /// strategy's scratch first.
    pub fn open(config: Config) -> Result<Self, Error> {
        Self::open_at(config, Lane::Idle)
    }

    /// Starts a service with strategies that do not serve on this priority.
    pub fn open_at(config: Config, lane: Lane) -> Result<Self, Error> {
        let service = Self(Arc::new(Owned(start::open(config, lane)?)));
        service.fill()?;
        Ok(service)
    }

    /// Makes a service that answers with `NothingServes` until [`Service::fill`] is done.
    pub fn prepare(config: Config) -> Result<Self, Error> {
        Ok(Self(Arc::new(Owned(start::open(config, Lane::Idle)?))))
    }

    /// Fills the scratch of the strategy that is to serve, which may take minutes on a long log, and has it
    /// serve. Blocks.
    pub fn fill(&self) -> Result<(), Error> {
        start::serve_first(self.inner())
    }

    /// Has a request answered by the strategy that is active now. Returns at once; fails at once with
    /// `Overloaded`, `NothingServes` or `ShuttingDown`.
    pub fn submit(&self, request: PageRequest) -> Result<Pending, Error> {
        match &*self.inner().lifecycle.active() {
            Some(active) => self.inner().queue.submit(request, active),
            None => Err(self.inner().lifecycle.why_nothing()),
        }
    }

    /// The name and the digest of the strategy that is active now.
    pub fn active(&self) -> Option<(Arc<str>, Arc<str>)> {
        let active = self.inner().lifecycle.active();
        active.as_ref().map(|active| (Arc::clone(&active.name), Arc::clone(&active.digest)))
    }

    /// What a page of now would be made from: the log's files, and the tables of the active strategy. Any later write to the
    /// log makes it another text, and so does an index that is found not to fit. None where the next write to the log might
    /// leave no trace, and while no strategy serves.
    pub fn basis(&self) -> Option<String> {
        let generation = self.inner().lifecycle.active().as_ref().map(|active| active.generation())?;
        Some(format!("{} {generation}", self.inner().high_water.files()?))
    }

    /// The log's largest id, without running a strategy: some ten microseconds. May wait for a commit of the
    /// writer's, up to 0.4 s, and then fails with `Busy`.
    pub fn high_water(&self) -> Result<i64, Error> {
        self.inner().high_water.read()
    }

    /// Carries out an order of an operator's. Blocks: for the check of a component, for what a drained
    /// strategy has begun.
    pub fn carry_out(&self, order: Order) -> Result<Done, Error> {
        let service = self.inner();
        if order != Order::List {
            if service.ended.is_cancelled() {
                return Err(Error::ShuttingDown);
            }
            service.lifecycle.have_begun()?;
        }
        match order {
            Order::List => Ok(Done::List(Box::new(self.state()))),
            Order::Stage { strategy, name, by } => {
                staging::stage(service, &strategy, name.as_deref(), by).map(Box::new).map(Done::Staged)
            }
            Order::Shadow { name, share, requests, by } => {
                staging::start_shadow(service, &name, share, requests, by).map(Box::new).map(Done::Staged)
            }
            Order::Promote { name, revision, by } => {
                transitions::promote(service, &name, revision, by).map(Done::Swapped)
            }
            Order::Rollback { by } => transitions::roll_back(service, by).map(Done::Swapped),
            Order::Drain { name, by } => {
                transitions::drain(service, &name, by, DRAIN_PATIENCE).map(Box::new).map(Done::Drained)
            }
            Order::Pardon { digest, by } => {
                transitions::pardon(service, &digest, by).map(Box::new).map(Done::Pardoned)
            }
        }
    }

    /// Puts another policy in force, all of it or, with an error, nothing. A strategy that it no longer lets
    /// in does not serve from then on.
    pub fn reload(&self, policy: Policy) -> Result<Reloaded, Error> {
        reload::reload(self.inner(), policy)
    }

    /// How the service is doing.
    pub fn state(&self) -> State {
        let service = self.inner();
        let level = service.high_water.read();
        let high_water = level.as_ref().ok().copied();
        let mut now = service.lifecycle.snapshot();
        let standing = |deployment: &Arc<Deployment>| deployment.standing(high_water);
        let active = now.active().as_ref().map(standing);
        let mut errors = Vec::new();
        match &active {
            None => errors.push(now.why_nothing()),
            Some(active) if !active.proven => {
                errors.push(not_ready(&active.name, "it serves, and is not proven yet"));
            }
            Some(_) => {}
        }
        match (level, service.high_water.replaced()) {
            (Err(error), _) => errors.push(error),
            (Ok(_), Some(path)) => errors.push(Error::LogReplaced { path }),
            (Ok(_), None) => {}
        }
        let lag = active.as_ref().and_then(|active| active.scratch.as_ref()).map_or(0, |scratch| scratch.lag);
        if lag > LONGEST_LAG {
            errors.push(Error::ScratchUnfit { why: format!("it lags {lag} events behind") });
        }
        if service.ended.is_cancelled() {
            errors.push(Error::ShuttingDown);
        }
        if let Some(what) = &now.unwritten {
            errors.push(Error::Engine(format!("it was done, and could not be written down: {what}")));
        }
        let (queued, shed) = service.queue.figures();
        State {
            ready: errors.is_empty(),
            troubles: errors.iter().map(Trouble::of).collect(),
            active,
            good: now.fallbacks().iter().rev().map(standing).collect(),
            liars: service.environment.liars.all(),
            staged: now.staged(),
            retiring: now.those(Life::is_draining).iter().map(standing).collect(),
            swaps: now.swaps,
            last_swap: now.last_swap,
            compared: Compared {
                reference: now.reference.name.to_string(),
                share: service.samples.reference_share(),
                ..service.samples.compared.lock().clone()
            },
            workers: service.workers,
            queued,
            queue_limit: service.queue.limit,
            shed,
            high_water,
            policy: now.policy.digest.clone(),
        }
    }

    /// Ends the service: lets nobody in, answers whom it can until the deadline, and cuts the rest.
    pub fn shutdown(&self, deadline: Duration) -> Drained {
        let service = self.inner();
        let had = service.queue.close();
        let cut = service.queue.settle(deadline);
        service.end();
        if cut > 0 {
            service.queue.cut();
            service.queue.settle(Duration::from_secs(1));
        }
        let threads = std::mem::take(&mut *service.threads.lock());
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
        let count = u64::try_from(finished).ok();
        let decision = Decision { count, ..service.decision(Event::Stage, "", reason) };
        let head = service.decisions.record(&decision).ok().map(|head| head.to_string());
        Drained { had: had as u64, finished: finished as u64, cut: cut as u64, head }
    }

    fn inner(&self) -> &ServiceInner {
        &self.0.0
    }
}

//! The conductor of a page request: snapshot, call, check, the log's lock given back, payloads.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::native;
use crate::page::judge::{self, Stop};
use crate::scratch::Scratch;
use crate::strategy::instance::Instance;
use crate::strategy::{Code, Compiled, Strategy, lane};
use keyhole_log::budget::{Budget, Canceller};
use keyhole_log::error::{Error, Spent};
use keyhole_log::grants::Instances;
use keyhole_log::ledger::{Ledger, Phase, Phases};
use keyhole_log::limits::Limits;
use keyhole_log::model::{Page, PageRequest, Pager};
use keyhole_log::session::Session;
use keyhole_log::thread_clock::Meter;
use keyhole_log::{Identity, Log};

/// How often a page is tried again on files that were replaced meanwhile.
const REOPENS: usize = 2;

/// Uncovered events that a page still reads by itself: a deep page may read twice as many rows.
const LONGEST_TAIL: i64 = 5_000;

/// A worker: it answers one request at a time, from beginning to end, on the thread that calls it.
pub struct Worker {
    engine: Engine,
    strategy: Arc<Strategy>,
    instances: Instances,
    log: Log,
    scratch: Option<Arc<Scratch>>,
    /// Which file scratch was when the session was opened.
    scratch_file: Option<Identity>,
    session: Option<Box<Session>>,
    warm: Option<Instance>,
    /// The log has an odd cell that scratch does not cover, and a page failed that it would explain.
    behind: bool,
    budget: Arc<Budget>,
    /// Runs since the running try began.
    meter: Meter,
    spent: Spent,
    stand_ins: bool,
}

impl Worker {
    /// Makes a worker, with instances that live as the strategy's grants say, or else as told. `scratch` must
    /// be there for a strategy with an index, filled already.
    pub fn new(
        engine: &Engine,
        strategy: &Arc<Strategy>,
        instances: Instances,
        log: &Log,
        scratch: Option<Arc<Scratch>>,
    ) -> Self {
        Self {
            engine: engine.clone(),
            strategy: Arc::clone(strategy),
            instances: strategy.grants.instances.unwrap_or(instances),
            log: log.clone(),
            scratch,
            scratch_file: None,
            session: None,
            warm: None,
            behind: false,
            budget: Arc::default(),
            meter: Meter::start(),
            spent: Spent::default(),
            stand_ins: false,
        }
    }

    /// The same worker for pages that are compared and shown to nobody: a payload that cannot be shown is a stand-in.
    #[must_use]
    pub fn for_comparison(mut self) -> Self {
        self.stand_ins = true;
        self
    }

    /// A handle that cancels the running request from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(&self.budget)
    }

    /// The strategy that it works for.
    pub fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    /// The strategy's scratch, if it has one.
    pub fn scratch(&self) -> Option<&Scratch> {
        self.scratch.as_deref()
    }

    /// What the last request did.
    pub fn ledger(&self) -> Option<&Ledger> {
        self.session.as_ref().map(|session| &session.ledger)
    }

    /// What the last try at a page used that failed.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// What the last request did, with SQLite's plan for each of the strategy's statements, and the
    /// limits that were in effect.
    pub fn explained(&mut self) -> Option<(&Ledger, &Limits)> {
        let session = self.session.as_mut()?;
        session.explain_new(|_| false);
        Some((&session.ledger, session.limits()))
    }

    /// Answers a request as [`Pager::page`] does, unless it is no longer wanted when it begins. Whoever cancels
    /// first makes `wanted` false and then uses the [`Canceller`]: one of the two is met.
    pub fn page_if(&mut self, request: &PageRequest, wanted: impl FnOnce() -> bool) -> Result<Page, Error> {
        let limits = &self.strategy.grants.limits;
        if request.page_size == 0 || request.page_size > limits.page_size {
            return Err(Error::bad_request(format!("page_size must be from 1 to {}", limits.page_size)));
        }
        // First of all: the request's time starts with it.
        let _idle = lane::turn();
        let strategy = Arc::clone(&self.strategy);
        let _place = strategy.share.take()?;
        let owner = self.budget.enter();
        let outcome = if wanted() { self.answer(request) } else { Err(Error::Cancelled) };
        // Whatever a strategy made of the interrupt is not its fault.
        let outcome = outcome.map_err(|error| if self.budget.cancelled() { Error::Cancelled } else { error });
        if owner {
            self.budget.leave();
        }
        outcome
    }

    /// Tries until the page is answered, on files that may be replaced meanwhile, and on a machine that may be busy: where
    /// it had no time for the request, that is tried once more, with time of its own. Whoever waits no longer cancels it.
    fn answer(&mut self, request: &PageRequest) -> Result<Page, Error> {
        let (mut reopened, mut starved) = (0, false);
        loop {
            self.budget.check_cancelled()?;
            let outcome = self.timed_attempt(request, reopened < REOPENS);
            match outcome {
                Err(Error::Starved { .. }) if !starved => {
                    starved = true;
                    continue;
                }
                // Opening anew checks scratch against the log that is there now.
                Err(Error::LogReplaced { .. } | Error::ScratchUnfit { .. }) if reopened < REOPENS => {
                    self.session = None;
                    if let Some(scratch) = self.scratch.as_ref().filter(|_| std::mem::take(&mut self.behind))
                    {
                        scratch.refresh()?;
                    }
                }
                Ok(page) => {
                    if let (Some(scratch), Some(ledger)) = (&self.scratch, self.ledger()) {
                        scratch.saw(ledger.high_water, ledger.covered);
                    }
                    return Ok(page);
                }
                Err(error) => {
                    if reopened == REOPENS || self.budget.cancelled() || !self.mends_scratch(&error)? {
                        return Err(error);
                    }
                    self.session = None;
                }
            }
            reopened += 1;
        }
    }

    /// One try at a page. A limit on time that passed while it took little of the processor's time, few steps and few rows
    /// is `Starved`: the machine was busy, or stood still.
    fn timed_attempt(&mut self, request: &PageRequest, may_refresh: bool) -> Result<Page, Error> {
        self.meter = Meter::start();
        let outcome = self.attempt(request, may_refresh);
        outcome.map_err(|error| {
            self.spent = self.meter.spent(self.budget.steps(), self.ledger().map_or(0, |ledger| ledger.rows));
            let limits = &self.strategy.grants.limits;
            // Whatever the strategy made of a statement that was cut.
            let cut = self.budget.error(limits).filter(|_| error.blames_strategy());
            match cut.map(|cut| cut.or_starved(self.spent, limits)) {
                Some(starved @ Error::Starved { .. }) => starved,
                _ => error.or_starved(self.spent, limits),
            }
        })
    }

    /// One try at a page that holds. A log at rest is read without a lock: where its writer came meanwhile, whatever
    /// came of it is thrown away, and the page read again as the log lies now.
    fn attempt(&mut self, request: &PageRequest, may_refresh: bool) -> Result<Page, Error> {
        for _ in 0..=REOPENS {
            let outcome = self.attempt_once(request, may_refresh);
            if self.session.as_ref().is_none_or(|session| session.is_proved()) {
                return outcome;
            }
            self.warm = None;
            self.budget.check_cancelled()?;
        }
        Err(Error::Busy)
    }

    /// One try at a page, in the order in which everything happens: the snapshot is taken, the strategy is called,
    /// its claims are checked against the snapshot, the log's lock is given back, and only then the payloads are
    /// read. The session is kept for the next request, unless the engine failed to give it back. If `may_refresh`, it
    /// fails with `ScratchUnfit` where the strategy failed and scratch has to be refreshed first.
    fn attempt_once(&mut self, request: &PageRequest, may_refresh: bool) -> Result<Page, Error> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.open()?,
        };
        let generation = self.scratch.as_ref().map(|scratch| scratch.generation());
        if let Err(error) = session.begin().and_then(|()| self.catch_up(&mut session)) {
            session.finish();
            self.session = Some(session);
            return Err(error);
        }
        // Waiting for the writer, or for a refresh, is no part of it.
        self.meter = Meter::start();
        let (claims, session) = self.call(session, request);
        let Some(mut session) = session else {
            return claims.and(Err(Error::Engine("a call did not give its session back".to_owned())));
        };
        let page = judge::page(&mut session, request, claims, may_refresh).map_err(|stop| match stop {
            Stop::Error(error) => error,
            Stop::OddTail => {
                self.behind = true;
                Error::ScratchUnfit { why: "it does not cover an event yet that has an odd cell".to_owned() }
            }
        });
        session.finish();
        self.session = Some(session);
        if page.is_err() {
            self.warm = None;
        }
        // What was made of tables that are found not to fit the log meanwhile is no answer, and no fault either.
        if self.scratch.as_ref().map(|scratch| scratch.generation()) != generation && !self.budget.cancelled()
        {
            return Err(Error::ScratchUnfit { why: "it was dropped meanwhile".to_owned() });
        }
        page
    }

    /// A session on the log as it is now. Its scratch, if the strategy has one, is filled first.
    fn open(&mut self) -> Result<Box<Session>, Error> {
        // Handles of an earlier session could look like ones of the new.
        self.warm = None;
        let scratch = match &self.scratch {
            Some(scratch) => {
                scratch.ensure_filled()?;
                Some(scratch.path().to_owned())
            }
            None => None,
        };
        self.scratch_file = self.scratch.as_ref().and_then(|scratch| scratch.identity());
        let grants = &self.strategy.grants;
        let budget = Arc::clone(&self.budget);
        let mut session = Session::for_pages_within(budget, &self.log, scratch, grants)?;
        session.keep_notes(grants.notes);
        if self.stand_ins {
            session.use_stand_ins();
        }
        Ok(Box::new(session))
    }

    /// A tail that is too long to be read by every page is taken in first; and where the log's history may have been
    /// changed, that is looked into, for a moment. Both without a hold on the log.
    fn catch_up(&self, session: &mut Session) -> Result<(), Error> {
        let Some(scratch) = &self.scratch else { return Ok(()) };
        if session.take_moved() {
            scratch.noticed(session.high_water());
        }
        if scratch.is_settling() {
            session.finish();
            scratch.settle();
            session.begin()?;
        }
        if let Some(covered) = session.ledger.covered
            && session.high_water().saturating_sub(covered) > LONGEST_TAIL
        {
            session.finish();
            scratch.refresh()?;
            session.begin()?;
        }
        Ok(())
    }

    /// Asks the strategy which events answer. The session comes back, but for a fault of the engine.
    fn call(
        &mut self,
        mut session: Box<Session>,
        request: &PageRequest,
    ) -> (Result<Vec<i64>, Error>, Option<Box<Session>>) {
        let began = Phase::begin();
        let native = match &self.strategy.code {
            Code::NativeBaseline => native::baseline::page(&mut session, request),
            Code::NativeKeyset => native::keyset::page(&mut session, request),
            Code::Component(compiled) => {
                let compiled = Arc::clone(compiled);
                return self.call_component(&compiled, session, request);
            }
        };
        let claims =
            native.map(|events| events.into_iter().filter_map(|event| session.claimed(event)).collect());
        session.ledger.phases.strategy = began.elapsed();
        (claims, Some(session))
    }

    fn call_component(
        &mut self,
        compiled: &Compiled,
        session: Box<Session>,
        request: &PageRequest,
    ) -> (Result<Vec<i64>, Error>, Option<Box<Session>>) {
        let began = Phase::begin();
        let mut made = Duration::ZERO;
        let mut instance = match self.warm.take() {
            Some(mut instance) => {
                instance.resume(session);
                instance
            }
            None => match Instance::new(&self.engine, compiled, session) {
                Ok(instance) => {
                    made = began.elapsed();
                    instance
                }
                Err((error, session)) => return (Err(error), session),
            },
        };
        let claims = instance.page(request);
        let mut session = instance.release();
        if let Some(session) = &mut session {
            let phases = &mut session.ledger.phases;
            phases.instantiate = made;
            phases.strategy = phases.strategy.saturating_sub(made);
        }
        if let Instances::Warm(uses) = self.instances
            && claims.is_ok()
            && instance.uses < uses
        {
            self.warm = Some(instance);
        }
        (claims, session)
    }

    /// A damaged scratch reads like a damaged log, and one that missed an event makes an honest
    /// strategy look like a liar. True if it was that and is mended: then the page is tried again.
    fn mends_scratch(&self, error: &Error) -> Result<bool, Error> {
        let may_be_scratch = matches!(
            error,
            Error::BadLog { .. }
                | Error::Sqlite(_)
                | Error::Sql { .. }
                | Error::Lied { .. }
                | Error::GaveUp { .. }
                | Error::Trapped { .. }
                | Error::UnknownEvent { .. }
        );
        match &self.scratch {
            Some(scratch) if may_be_scratch => scratch.mend(self.scratch_file),
            _ => Ok(false),
        }
    }
}

impl Pager for Worker {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        self.page_if(request, || true)
    }

    fn phases(&self) -> Option<Phases> {
        self.ledger().map(|ledger| ledger.phases)
    }
}

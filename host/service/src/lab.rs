//! A strategy's way to the service, on idle priority: checked, indexed, proven. It counts for one staging only.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::contract::dataset;
use crate::decisions::{Decision, Event};
use crate::error::Error;
use crate::log::profile::Profile;
use crate::policy::{Policy, identity, lines};
use crate::registry::{BUILT_IN, Found, Registry};
use crate::scratch::Scratch;
use crate::service::House;
use crate::service::lane::Stop;
use crate::service::moves::{Moved, not_ready};
use crate::service::proof::{Proof, Prover, failure_from};
use crate::service::roster::{FILLING, MOST_STAGED};
use crate::service::serving::{Filling, Out, Serving};
use crate::service::shadow::Run;
use crate::service::status::{Failure, Progress, Stage, Staged};
use crate::strategy::Strategy;

/// What the lab is to do.
pub(super) enum Work {
    /// Compile a component and link it.
    Check { policy: Arc<Policy>, found: Box<Found>, reply: SyncSender<Result<Arc<Serving>, Error>> },
    /// Fill a candidate's scratch and prove it.
    Prove { name: String, revision: u64, serving: Arc<Serving>, stop: Arc<Stop> },
    /// Prove the strategy that serves, which nobody did.
    ProveActive { serving: Arc<Serving> },
}

/// The two benches of the lab: a long proof keeps no check waiting.
pub(super) struct Lab {
    checks: Mutex<Option<SyncSender<Work>>>,
    proofs: Mutex<Option<SyncSender<Work>>>,
}

/// The ends from which the lab's threads take their work.
pub(super) struct Benches {
    pub(super) checks: Receiver<Work>,
    pub(super) proofs: Receiver<Work>,
}

impl Lab {
    pub(super) fn new() -> (Self, Benches) {
        let (checks, to_check) = sync_channel(MOST_STAGED);
        let (proofs, to_prove) = sync_channel(MOST_STAGED);
        let lab = Self { checks: Mutex::new(Some(checks)), proofs: Mutex::new(Some(proofs)) };
        (lab, Benches { checks: to_check, proofs: to_prove })
    }

    /// No more work: the threads leave after what they are at.
    pub(super) fn close(&self) {
        for bench in [&self.checks, &self.proofs] {
            bench.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }

    pub(super) fn give(&self, work: Work) -> Result<(), Error> {
        let bench = if matches!(work, Work::Check { .. }) { &self.checks } else { &self.proofs };
        let bench = bench.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match bench.map(|bench| bench.try_send(work)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(Error::Overloaded { waiting: MOST_STAGED }),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(Error::ShuttingDown),
        }
    }
}

/// Works until the service ends.
pub(super) fn work(bench: &Receiver<Work>, house: &Weak<House>) {
    if let Some(house) = house.upgrade() {
        house.give_way();
    }
    for work in bench {
        let Some(house) = house.upgrade() else { return };
        match work {
            Work::Check { policy, found, reply } => {
                // Whoever asked may have gone.
                let _ = reply.send(house.check(&policy, *found));
            }
            Work::Prove { name, revision, serving, stop } => {
                house.prove_candidate(&name, revision, &serving, &stop);
            }
            Work::ProveActive { serving } => house.prove_active(&serving),
        }
    }
}

impl House {
    /// Takes a strategy in, up to the point where it is checked. The rest goes on by itself.
    pub(super) fn stage(
        &self,
        strategy: &str,
        name: Option<&str>,
        by: Option<String>,
    ) -> Result<Staged, Error> {
        let policy = Arc::clone(&self.roster().policy);
        let called = name.unwrap_or(strategy);
        let mut digest = None;
        let outcome = find(&policy, strategy, name).and_then(|found| {
            digest = Some(format!("sha256:{}", crate::sha256(&found.bytes)));
            self.have_checked(&policy, found)
        });
        let serving = match outcome {
            Ok(serving) => serving,
            Err(error) => {
                if error.blames_strategy() {
                    let reason = format!("not let in: {error}");
                    let decision = Decision {
                        digest,
                        policy: policy.digest.clone(),
                        by,
                        ..Decision::new(Event::Refuse, called, reason)
                    };
                    self.record(&decision)?;
                }
                return Err(error);
            }
        };
        if self.active().is_some_and(|active| active.is(&serving.name, &serving.digest)) {
            return Err(not_ready(&serving.name, "it is the active one already"));
        }
        let who = by.clone().unwrap_or_else(crate::decisions::user);
        let reason = "staged: the policy lets it in, it fits, and it imports only what it is granted";
        let decision = Decision { by, ..self.about(Event::Load, &serving, reason) };
        self.record(&decision)?;
        let (staged, revision, stop) = {
            let mut roster = self.roster();
            if !Arc::ptr_eq(&roster.policy, &policy) {
                return Err(not_ready(&serving.name, "the policy changed meanwhile: stage it again"));
            }
            let revision = roster.stage(&serving, who, Stage::Checked)?;
            let Some(candidate) = roster.candidate(&serving.name, revision) else {
                return Err(not_ready(&serving.name, "it was staged again meanwhile"));
            };
            (candidate.staged(), revision, Arc::clone(&candidate.stop))
        };
        let name = serving.name.to_string();
        let given = self.lab.give(Work::Prove { name: name.clone(), revision, serving, stop });
        if let Err(error) = given {
            self.roster().unstage(&name);
            return Err(error);
        }
        Ok(staged)
    }

    /// Puts a proven strategy in the shadow of the one that serves.
    pub(super) fn shadow(
        &self,
        name: &str,
        share: f64,
        requests: u64,
        by: Option<String>,
    ) -> Result<Staged, Error> {
        if !(share > 0.0 && share <= 1.0) {
            return Err(Error::bad_request("share must be above 0, and at most 1"));
        }
        if requests == 0 {
            return Err(Error::bad_request("requests must be at least 1"));
        }
        let _desk = self.desk();
        let (serving, staged) = {
            let mut roster = self.roster();
            if let Some(other) = roster.staged.values().find(|other| other.stage == Stage::Shadow) {
                let why = format!("{} is in shadow: one at a time", other.serving.name);
                return Err(not_ready(name, &why));
            }
            let Some(candidate) = roster.staged.get_mut(name) else {
                return Err(Error::NoSuchStrategy { name: name.to_owned() });
            };
            if !matches!(candidate.stage, Stage::Proven | Stage::Ready) {
                return Err(not_ready(name, "only a strategy that is proven is shadowed"));
            }
            let run = Run::new(&candidate.serving, candidate.revision, &candidate.stop, share, requests);
            candidate.stage = Stage::Shadow;
            candidate.shadow = Some(Arc::clone(&run));
            self.samples.set_shadow(Some(run));
            (Arc::clone(&candidate.serving), candidate.staged())
        };
        let reason = format!("in shadow: {requests} requests, a share of {share}");
        self.record(&Decision { by, ..self.about(Event::Stage, &serving, reason) })?;
        Ok(staged)
    }

    /// A shadow came to its end: with every page equal, or with one that was not.
    pub(super) fn shadow_over(&self, run: &Arc<Run>, failure: Option<Failure>) {
        self.samples.end_shadow(run);
        let state = run.state();
        let reason = match &failure {
            None => format!(
                "shadow: {} pages of live requests equal, {} of them non-empty, {} dropped",
                state.compared, state.non_empty, state.dropped
            ),
            Some(failure) => format!("shadow: stopped by {}: {}", failure.kind, failure.message),
        };
        let request = failure.as_ref().and_then(|failure| failure.smallest.as_ref());
        let request = request.map(ToString::to_string);
        {
            let mut roster = self.roster();
            let Some(candidate) = roster.candidate(&run.name, run.revision) else { return };
            candidate.stage = if failure.is_some() { Stage::Failed } else { Stage::Ready };
            candidate.failure = failure;
            if candidate.failure.is_some() {
                candidate.stop.stop();
            }
        }
        let decision = Decision {
            request,
            count: Some(state.compared),
            ..self.about(Event::Verdict, &run.serving, reason)
        };
        self.settle(&Moved::told(decision));
    }

    fn have_checked(&self, policy: &Arc<Policy>, found: Found) -> Result<Arc<Serving>, Error> {
        let (reply, answer) = sync_channel(1);
        self.lab.give(Work::Check { policy: Arc::clone(policy), found: Box::new(found), reply })?;
        loop {
            match answer.recv_timeout(Duration::from_millis(100)) {
                Ok(outcome) => return outcome,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) if !self.over.is_stopped() => {}
                Err(_) => return Err(Error::ShuttingDown),
            }
        }
    }

    /// Compiles and links a component: one that serves, once its scratch is filled.
    pub(super) fn check(&self, policy: &Policy, found: Found) -> Result<Arc<Serving>, Error> {
        let Found { name, origin, bytes, grants, native } = found;
        let strategy = match (native, name.as_str()) {
            (true, "native-baseline") => Strategy::native_baseline(&name, &bytes, grants),
            (true, _) => Strategy::native_keyset(&name, &bytes, grants),
            (false, _) => Strategy::load(&self.engine, &name, &origin, &bytes, grants)?,
        };
        let filling = Arc::new(Filling::default());
        let scratch = strategy.is_indexed().then(|| {
            let told = Arc::clone(&filling);
            let progress = Box::new(move |fed, all| {
                told.fed.store(fed, Relaxed);
                told.all.store(all, Relaxed);
            });
            Scratch::new(&self.engine, &strategy, &self.log, &self.cache, Some(progress))
        });
        let component = (!BUILT_IN.contains(&name.as_str())).then(|| (origin, Arc::from(bytes)));
        let breaker = crate::service::breaker::Breaker::new(policy.serve.failures, policy.serve.within);
        Ok(Serving::new(strategy, scratch, filling, component, breaker))
    }

    fn prove_candidate(&self, name: &str, revision: u64, serving: &Arc<Serving>, stop: &Arc<Stop>) {
        let mut told = |stage: Stage, progress: Option<Progress>| {
            if let Some(candidate) = self.roster().candidate(name, revision) {
                candidate.stage = stage;
                candidate.progress = progress;
            }
        };
        let outcome = self.index_and_prove(serving, stop, &mut told);
        if stop.is_stopped() || self.over.is_stopped() {
            return;
        }
        let (failure, pages) = match outcome {
            Ok(Proof::Equal(pages)) => (None, pages),
            Ok(Proof::Different(failure) | Proof::Overdue(failure)) => (Some(*failure), 0),
            Err(error) => (Some(failure_from(&error, Stage::Checked)), 0),
        };
        let reason = match &failure {
            None => format!("proven: {pages} pages equal to those of the reference"),
            Some(failure) => format!("not proven: {}: {}", failure.kind, failure.message),
        };
        let request = failure.as_ref().and_then(|failure| failure.smallest.as_ref()).map(ToString::to_string);
        {
            let mut roster = self.roster();
            let Some(candidate) = roster.candidate(name, revision) else { return };
            candidate.progress = None;
            candidate.proven_pages = pages;
            candidate.stage = if failure.is_some() { Stage::Failed } else { Stage::Proven };
            serving.proven.store(failure.is_none(), Relaxed);
            candidate.failure = failure;
        }
        let decision = Decision { request, ..self.about(Event::Verdict, serving, reason) };
        self.settle(&Moved::told(decision));
    }

    /// What serves since the first start, without a proof, is proven meanwhile.
    fn prove_active(&self, serving: &Arc<Serving>) {
        match self.index_and_prove(serving, &self.over, &mut |_, _| {}) {
            Ok(Proof::Equal(pages)) => {
                serving.proven.store(true, Relaxed);
                let reason = format!("proven: {pages} pages equal to those of the reference");
                self.settle(&Moved::told(self.about(Event::Verdict, serving, reason)));
            }
            Ok(Proof::Different(failure)) => {
                let reason = format!("not proven: {}: {}", failure.kind, failure.message);
                self.settle(&self.take_out(serving, Out::Tripped, reason, "breaker", false));
            }
            // Undecided: it serves on, and readiness says that it is not proven.
            Ok(Proof::Overdue(failure)) => {
                let reason = format!("not proven: {}: {}", failure.kind, failure.message);
                self.settle(&Moved::told(self.about(Event::Verdict, serving, reason)));
            }
            Err(_) => {}
        }
    }

    fn index_and_prove(
        &self,
        serving: &Arc<Serving>,
        stop: &Stop,
        told: &mut dyn FnMut(Stage, Option<Progress>),
    ) -> Result<Proof, Error> {
        let progress = |what: &str, done, all| Some(Progress { what: what.to_owned(), done, all });
        let time = self.roster().policy.serve.proof_time;
        let until = Instant::now() + time;
        if serving.scratch.is_some() {
            told(Stage::Checked, progress(FILLING, 0, 0));
            self.fill(serving)?;
        }
        if stop.is_stopped() {
            return Err(Error::Interrupted);
        }
        told(Stage::Indexed, progress("comparing", 0, 0));
        let profile = Profile::of(&self.log, dataset::now_of)?;
        let reference = self.reference();
        let (mut subject, mut judge) = (self.worker(serving), self.worker(&reference));
        let mut prover = Prover {
            name: &serving.name,
            reference_name: &reference.name,
            subject: &mut subject,
            reference: &mut judge,
            stop,
            until: Some(until),
        };
        let mut far = (0, 0);
        let proof = prover.prove(&profile, &mut |stream, done, all| {
            far = (done, all);
            // Once in a while: whoever looks sees it move.
            if done % 16 == 0 {
                told(Stage::Indexed, progress(&format!("comparing: {stream}"), done, all));
            }
        });
        match proof {
            Err(Error::Cancelled) => Ok(Proof::Overdue(Box::new(overdue(time, far)))),
            proof => proof,
        }
    }
}

/// Of a proof that was not over in time, after so many of so many requests and walks.
fn overdue(time: Duration, (done, all): (u64, u64)) -> Failure {
    let within = "serve.proof_time of the policy";
    let message =
        format!("it was not proven within {time:?}, the {within}: {done} of {all} compared, all equal");
    let (stage, kind) = (Stage::Indexed, "proof-time".to_owned());
    Failure { stage, kind, message, smallest: None, request: None, repeat: None, lines: None }
}

/// The bytes and grants of a strategy that is to be staged: deny by default.
pub(super) fn find(policy: &Policy, strategy: &str, name: Option<&str>) -> Result<Found, Error> {
    let is_path = strategy.contains('/') || Path::new(strategy).extension().is_some_and(|ext| ext == "wasm");
    if !is_path {
        if let Some(name) = name.filter(|name| *name != strategy) {
            return Err(Error::bad_request(format!(
                "{strategy} has its own name, and its grants belong to that: it cannot be staged as {name}"
            )));
        }
        return Registry::new(policy).find(strategy);
    }
    let path = PathBuf::from(strategy);
    if !path.is_absolute() {
        return Err(Error::bad_request(format!("{strategy}: a service takes absolute paths only")));
    }
    let bytes = crate::loader::file::read(&path)?;
    found_in(policy, path, bytes, name)
}

/// A component that is at hand, as the policy lets it in: under that name, or the one that its digest has.
pub(super) fn found_in(
    policy: &Policy,
    origin: PathBuf,
    bytes: Vec<u8>,
    name: Option<&str>,
) -> Result<Found, Error> {
    let named = name.and_then(|name| policy.stanzas.get(name)).filter(|stanza| !stanza.is_built_in());
    let stanza = match named {
        Some(stanza) => Ok(stanza),
        None => lines::stanza_of(policy, &origin, &bytes),
    }?;
    if let Some(name) = name.filter(|name| *name != stanza.name) {
        let reasons = vec![format!("the policy knows it as {}, not as {name}", stanza.name)];
        return Err(Error::NotGranted { path: origin, reasons, lines: String::new() });
    }
    identity::check(stanza, &origin, &bytes)?;
    lines::check_imports(stanza, &origin, &bytes)?;
    let (name, grants) = (stanza.name.clone(), stanza.grants.clone());
    Ok(Found { name, origin, bytes, grants, native: false })
}

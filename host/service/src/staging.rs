//! The admission pipeline, on idle priority: a component is checked, its scratch filled, its answers proven, and
//! compared on live requests. What is found out counts for one staging of it only.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::background::CancellationToken;
use crate::decisions::{Decision, Event};
use crate::deployment::{Deployment, Environment};
use crate::deployments::{Candidate, FILLING, ShadowRun, not_ready};
use crate::ejected::Ejected;
use crate::inner::{ServiceInner, Work};
use crate::proof::{Proof, Prover};
use crate::status::{Failure, Progress, Stage, Staged};
use crate::transitions;
use keyhole_log::dataset::generator;
use keyhole_log::error::Error;
use keyhole_log::survey::profile::Profile;
use keyhole_runtime::policy::{Policy, identity, lines};
use keyhole_runtime::registry::{Found, Registry};

/// Works until the service ends.
pub(super) fn admission_loop(work: &Receiver<Work>, service: &Weak<ServiceInner>) {
    for work in work {
        let Some(service) = service.upgrade() else { return };
        work(&service);
    }
}

/// Makes a strategy a candidate, up to the point where its component is checked. Its proof goes on by itself.
pub(super) fn stage(
    service: &ServiceInner,
    strategy: &str,
    name: Option<&str>,
    by: Option<String>,
) -> Result<Staged, Error> {
    let policy = service.lifecycle.policy();
    let mut digest = None;
    let checked = find(&policy, strategy, name).and_then(|found| {
        digest = Some(format!("sha256:{}", keyhole_log::hash::sha256(&found.bytes)));
        check(service, &policy, found)
    });
    let deployment = match checked {
        Ok(deployment) => deployment,
        Err(error) => {
            if error.blames_strategy() {
                let (called, policy) = (name.unwrap_or(strategy), policy.digest.clone());
                let decision = Decision::new(Event::Refuse, called, format!("not let in: {error}"));
                service.record(&Decision { digest, policy, by, ..decision })?;
            }
            return Err(error);
        }
    };
    let is_active =
        |active: &Arc<Deployment>| active.name == deployment.name && active.digest == deployment.digest;
    if service.lifecycle.active().as_ref().is_some_and(is_active) {
        return Err(not_ready(&deployment.name, "it is the active one already"));
    }
    let who = by.clone().unwrap_or_else(crate::decisions::user);
    let reason = "staged: the policy lets it in, it fits, and it imports only what it is granted";
    service.record(&Decision { by, ..service.about(Event::Load, &deployment, reason) })?;
    let Candidate { staged, cancel, .. } = service.lifecycle.admit(&deployment, who, &policy)?;
    let revision = staged.revision;
    let proof = Box::new(move |service: &_| prove_candidate(service, revision, &deployment, &cancel));
    if let Err(error) = service.proofs.send(proof) {
        service.lifecycle.withdraw(revision);
        return Err(error);
    }
    Ok(staged)
}

/// Has a component compiled and linked, and waits for that.
fn check(service: &ServiceInner, policy: &Arc<Policy>, found: Found) -> Result<Arc<Deployment>, Error> {
    let (reply, answer) = sync_channel(1);
    let policy = Arc::clone(policy);
    service.checks.send(Box::new(move |service| {
        // Whoever asked may have gone.
        let _ = reply.send(service.environment.deploy(&policy, found));
    }))?;
    loop {
        match answer.recv_timeout(Duration::from_millis(100)) {
            Ok(checked) => return checked,
            Err(RecvTimeoutError::Timeout) if !service.ended.is_cancelled() => {}
            Err(_) => return Err(Error::ShuttingDown),
        }
    }
}

fn prove_candidate(
    service: &ServiceInner,
    revision: u64,
    deployment: &Arc<Deployment>,
    cancel: &CancellationToken,
) {
    let outcome = index_and_prove(service, deployment, cancel, &mut |stage, progress| {
        service.lifecycle.progress(revision, stage, progress);
    });
    if cancel.is_cancelled() || service.ended.is_cancelled() {
        return;
    }
    let outcome = match outcome {
        Ok(Proof::Equal(pages)) => Ok(pages),
        Ok(Proof::Failed { failure, .. }) => Err(failure),
        Err(error) => Err(Failure::of(&error, Stage::Checked)),
    };
    let request = outcome.as_ref().err().and_then(Failure::smallest_text);
    let decision = Decision { request, ..verdict(service, deployment, outcome.as_ref()) };
    if service.lifecycle.proven(revision, outcome) {
        service.settle(&decision, false);
    }
}

/// Proves the deployment that serves since the first start, which nobody did.
pub(super) fn prove_active(service: &ServiceInner, deployment: &Arc<Deployment>) {
    let decision = match index_and_prove(service, deployment, &service.ended, &mut |_, _| {}) {
        Ok(Proof::Equal(pages)) => {
            deployment.set_proven(true);
            verdict(service, deployment, Ok(&pages))
        }
        Ok(Proof::Failed { failure, decided: true }) => {
            let reason = verdict(service, deployment, Err(&failure)).reason;
            if failure.kind.starts_with("lie:") {
                return transitions::refute(service, deployment, &failure, reason);
            }
            return transitions::eject(service, deployment, Ejected::Tripped, reason, false)
                .write_down(service);
        }
        // Undecided: it serves on, and readiness says that it is not proven.
        Ok(Proof::Failed { failure, decided: false }) => verdict(service, deployment, Err(&failure)),
        Err(_) => return,
    };
    service.settle(&decision, false);
}

fn verdict(service: &ServiceInner, deployment: &Deployment, outcome: Result<&u64, &Failure>) -> Decision {
    let reason = match outcome {
        Ok(pages) => format!("proven: {pages} pages equal to those of the reference"),
        Err(failure) => format!("not proven: {}: {}", failure.kind, failure.message),
    };
    service.about(Event::Verdict, deployment, reason)
}

/// Fills the scratch of a deployment and proves its answers. `told` hears how far that is.
fn index_and_prove(
    service: &ServiceInner,
    deployment: &Arc<Deployment>,
    cancel: &CancellationToken,
    told: &mut dyn FnMut(Stage, Progress),
) -> Result<Proof, Error> {
    let progress = |what: &str, done, all| Progress { what: what.to_owned(), done, all };
    let time = service.lifecycle.policy().serve.proof_time;
    let until = Instant::now() + time;
    if deployment.has_scratch() {
        told(Stage::Checked, progress(FILLING, 0, 0));
        deployment.fill(&service.high_water)?;
    }
    if cancel.is_cancelled() {
        return Err(Error::Interrupted);
    }
    told(Stage::Indexed, progress("comparing", 0, 0));
    let profile = Profile::of(&service.environment.log, generator::now_of)?;
    let reference = service.lifecycle.reference();
    let mut prover = Prover::new(&service.environment, deployment, &reference, cancel);
    prover.prove(&profile, time, until, &mut |stream, done, all| {
        // Now and then is enough for whoever looks to see it move.
        if done % 16 == 0 {
            told(Stage::Indexed, progress(&format!("comparing: {stream}"), done, all));
        }
    })
}

/// Puts a proven candidate in the shadow of the active deployment.
pub(super) fn start_shadow(
    service: &ServiceInner,
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
    let _order = service.order.lock();
    let (deployment, staged) = service.lifecycle.start_shadow(name, share, requests)?;
    let reason = format!("in shadow: {requests} requests, a share of {share}");
    service.record(&Decision { by, ..service.about(Event::Stage, &deployment, reason) })?;
    Ok(staged)
}

/// Ends a shadow: with every page equal, or with one that was not.
pub(super) fn end_shadow(service: &ServiceInner, run: &ShadowRun, failure: Option<Failure>) {
    let figures = run.figures.lock().clone();
    let reason = match &failure {
        None => format!(
            "shadow: {} pages of live requests equal, {} of them non-empty, {} dropped",
            figures.compared, figures.non_empty, figures.dropped
        ),
        Some(failure) => format!("shadow: stopped by {}: {}", failure.kind, failure.message),
    };
    let request = failure.as_ref().and_then(Failure::smallest_text);
    if service.lifecycle.end_shadow(run, failure) {
        let decision = service.about(Event::Verdict, &run.deployment, reason);
        service.settle(&Decision { request, count: Some(figures.compared), ..decision }, false);
    }
}

/// The reference that a policy names. It is trusted, so it counts as proven.
pub(super) fn reference(environment: &Environment, policy: &Policy) -> Result<Arc<Deployment>, Error> {
    let found = Registry::new(policy).find(&policy.serve.reference)?;
    let reference =
        environment.deploy(policy, found).map_err(|error| error.during("loading the reference"))?;
    reference.set_proven(true);
    Ok(reference)
}

/// The bytes and grants of a strategy that is to be staged: deny by default.
fn find(policy: &Policy, strategy: &str, name: Option<&str>) -> Result<Found, Error> {
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
    let bytes = keyhole_runtime::loader::file::read(&path)?;
    found_in(policy, path, bytes, name)
}

/// A component that is at hand, as the policy lets it in: under that name, or the one that its digest has.
pub(super) fn found_in(
    policy: &Policy,
    origin: PathBuf,
    bytes: Vec<u8>,
    name: Option<&str>,
) -> Result<Found, Error> {
    let named = name.and_then(|name| policy.sections.get(name)).filter(|stanza| !stanza.is_built_in());
    let stanza = match named {
        Some(stanza) => stanza,
        None => lines::section_of(policy, &origin, &bytes)?,
    };
    if let Some(name) = name.filter(|name| *name != stanza.name) {
        let reasons = vec![format!("the policy knows it as {}, not as {name}", stanza.name)];
        return Err(Error::NotGranted { path: origin, reasons, lines: String::new() });
    }
    identity::check(stanza, &origin, &bytes)?;
    lines::check_imports(stanza, &origin, &bytes)?;
    let (name, grants) = (stanza.name.clone(), stanza.grants.clone());
    Ok(Found { name, origin, bytes, grants, native: false })
}

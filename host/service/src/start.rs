//! The start of the service: who serves at first, and the threads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::background::CancellationToken;
use crate::comparison::comparison_loop;
use crate::decisions::{Decision, Decisions, Event};
use crate::deployment::{Deployment, Environment, Lane};
use crate::deployments::{Life, MOST_STAGED, not_ready};
use crate::high_water::HighWaterReader;
use crate::inner::{First, ServiceInner};
use crate::liars::Liars;
use crate::lifecycle::Lifecycle;
use crate::persisted_state::{PersistedDeployment, PersistedState, component, component_path};
use crate::queue::{Outlet, Queue};
use crate::sampling::Samples;
use crate::scrubbing::scrub_loop;
use crate::staging::{self, admission_loop, found_in};
use crate::transitions;
use crate::workers::worker_loop;
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::grants::Instances;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::policy::Policy;
use keyhole_runtime::registry::{BUILT_IN, Registry};

/// Requests that may wait, for each worker: some milliseconds of pages, half a second of slow ones.
const WAITING_A_WORKER: usize = 32;

/// How often the caretaker looks after what no request does.
const ROUND: Duration = Duration::from_millis(250);

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
    /// Requests that may wait for a worker.
    pub queue: Option<usize>,
}

/// Makes a service that knows who is to serve. Nobody does until [`serve_first`].
pub(super) fn open(config: Config, lane: Lane) -> Result<Arc<ServiceInner>, Error> {
    let Config { policy, engine, log, state, cache, instances, workers, queue } = config;
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let workers = workers.unwrap_or(cores).max(1);
    let persisted = PersistedState::read(&state)?;
    let policy = Arc::new(policy);
    let high_water = HighWaterReader::new(&log);
    let liars = Liars::open(&state)?;
    let environment = Environment { engine, log, cache, instances, lane, liars };
    let reference = staging::reference(&environment, &policy)?;
    let (samples, to_compare) = Samples::new(policy.serve.reference_share);
    let (checks, to_check) = Outlet::new(MOST_STAGED);
    let (proofs, to_prove) = Outlet::new(MOST_STAGED);
    let service = Arc::new(ServiceInner {
        environment,
        decisions: Decisions::open(&state),
        state_folder: state,
        workers,
        lifecycle: Lifecycle::new(Arc::clone(&policy), reference),
        queue: Queue::new(queue.unwrap_or(workers * WAITING_A_WORKER)),
        samples,
        checks,
        proofs,
        high_water,
        order: Mutex::new(()),
        first: Mutex::new(None),
        ended: CancellationToken::default(),
        threads: Mutex::new(Vec::new()),
    });
    let first = match persisted {
        Some(persisted) => first_again(&service, &policy, &persisted)?,
        None => first_ever(&service.environment, &policy)?,
    };
    service.lifecycle.set_opening(first.active.clone());
    *service.first.lock() = Some(first);
    let mut threads = Vec::new();
    for _ in 0..workers {
        let (queue, service) = (Arc::clone(&service.queue), Arc::downgrade(&service));
        threads.push(thread("serve", move || worker_loop(&queue, &service))?);
    }
    threads.push(background(&service, "compare", move |service| comparison_loop(&to_compare, service))?);
    threads.push(background(&service, "check", move |service| admission_loop(&to_check, service))?);
    threads.push(background(&service, "prove", move |service| admission_loop(&to_prove, service))?);
    threads.push(background(&service, "caretaker", caretaker_loop)?);
    let scrubbed = Arc::downgrade(&service);
    threads.push(thread("scrub", move || scrub_loop(&scrubbed))?);
    *service.threads.lock() = threads;
    Ok(service)
}

/// The first start: the policy says who serves.
fn first_ever(environment: &Environment, policy: &Policy) -> Result<First, Error> {
    let active = environment.deploy(policy, Registry::new(policy).find(&policy.serve.active)?)?;
    // What the binary carries is taken as proven: the tests of the project prove it. Anything else is proven
    // while it serves.
    active.set_proven(BUILT_IN.contains(&&*active.name));
    let reason = "the service starts: the policy names it".to_owned();
    Ok(First { active: Some(active), fallbacks: Vec::new(), again: false, reason })
}

/// A later start: what served goes on serving, if the policy still lets it in.
fn first_again(service: &ServiceInner, policy: &Policy, persisted: &PersistedState) -> Result<First, Error> {
    let restore = |known| restore(&service.environment, &service.state_folder, policy, known);
    // One that cannot come back is not one to fall back to.
    let fallbacks = persisted.good.iter().filter_map(|known| restore(known).ok()).collect();
    let reason = "the service starts: it served before".to_owned();
    let mut first = First { active: None, fallbacks, again: true, reason };
    if let Some(known) = &persisted.active {
        match restore(known) {
            Ok(active) => first.active = Some(active),
            Err(error) => pass_over(service, &mut first, known, error)?,
        }
    }
    Ok(first)
}

/// A deployment that was kept, as the policy lets it in now.
fn restore(
    environment: &Environment,
    state: &Path,
    policy: &Policy,
    known: &PersistedDeployment,
) -> Result<Arc<Deployment>, Error> {
    let found = if BUILT_IN.contains(&known.name.as_str()) {
        Registry::new(policy).find(&known.name)?
    } else {
        let bytes = component(state, &known.digest)?;
        found_in(policy, component_path(state, &known.digest), bytes, Some(&known.name))?
    };
    let deployment = environment.deploy(policy, found)?;
    if *deployment.digest != *known.digest {
        let why = format!("its digest is sha256:{}, and sha256:{} served", deployment.digest, known.digest);
        return Err(not_ready(&known.name, &why));
    }
    deployment.set_proven(known.proven);
    Ok(deployment)
}

/// Whoever was to serve may not, by this error: the last fallback is to. Fails where the error is not the
/// strategy's own.
fn pass_over(
    service: &ServiceInner,
    first: &mut First,
    known: &PersistedDeployment,
    error: Error,
) -> Result<(), Error> {
    let is_its_own = error.blames_strategy()
        || matches!(
            error,
            Error::NoSuchStrategy { .. }
                | Error::NoComponent { .. }
                | Error::NotReady { .. }
                | Error::BadState { .. }
        )
        || matches!(&error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound);
    if !is_its_own {
        return Err(error.during(format!("starting {}", known.name)));
    }
    first.reason = format!("the service starts: {} may not serve any more: {error}", known.name);
    first.active = first.fallbacks.pop();
    let decision = service.decision(Event::Refuse, &known.name, error.to_string());
    service.record(&Decision { digest: Some(format!("sha256:{}", known.digest)), ..decision })
}

/// Fills the scratch of whoever is to serve, which may take minutes on a long log, and has it serve.
pub(super) fn serve_first(service: &ServiceInner) -> Result<(), Error> {
    let Some(mut first) = service.first.lock().take() else { return Ok(()) };
    while let Some(active) = first.active.clone() {
        match active.fill(&service.high_water) {
            Ok(()) => break,
            Err(error) if first.again => {
                pass_over(service, &mut first, &PersistedDeployment::of(&active), error)?;
                service.lifecycle.set_opening(first.active.clone());
            }
            Err(error) => return Err(error),
        }
    }
    service.lifecycle.reference().ensure_filled()?;
    if service.ended.is_cancelled() {
        return Err(Error::ShuttingDown);
    }
    let First { active, fallbacks, again, mut reason } = first;
    service.lifecycle.begin(active.as_ref(), &fallbacks, &reason);
    service.persist()?;
    if again && let Some(active) = &active {
        reason = format!("{reason}; {} serves", active.shown());
    }
    let name = active.as_ref().map_or("", |active| &active.name);
    let digest = active.as_ref().filter(|_| !again).map(|active| format!("sha256:{}", active.digest));
    service.record(&Decision { digest, ..service.decision(Event::Swap, name, reason) })?;
    match active.filter(|active| !active.is_proven()) {
        Some(active) => service.proofs.send(Box::new(move |service| staging::prove_active(service, &active))),
        None => Ok(()),
    }
}

fn caretaker_loop(service: &Weak<ServiceInner>) {
    loop {
        match service.upgrade() {
            Some(service) if !service.ended.is_cancelled() => round(&service),
            _ => return,
        }
        std::thread::sleep(ROUND);
    }
}

/// Sees to whatever no request does: cool-downs that are over, deployments that have drained, scratch that nobody
/// asks pages of.
fn round(service: &ServiceInner) {
    transitions::end_cool_down(service);
    // A liar whose record found no room is written down once there is some.
    let _ = service.environment.liars.write();
    transitions::forget_drained(service);
    let Ok(level) = service.high_water.read() else { return };
    let replaced = service.high_water.replaced();
    let now = service.lifecycle.snapshot();
    let proven = now.those(Life::is_proven_candidate);
    for deployment in now.active().into_iter().chain(now.fallbacks()).chain(proven) {
        if service.ended.is_cancelled() {
            return;
        }
        if replaced.is_none() {
            deployment.keep_up(level);
        } else if deployment.fill(&service.high_water).is_err() {
            // What fits the file before need not fit this one. A failure is met by the next round again.
            return;
        }
    }
    if let Some(path) = replaced {
        service.high_water.settled(&path);
    }
}

/// Starts a thread on the priority of strategies that do not serve.
fn background(
    service: &Arc<ServiceInner>,
    name: &str,
    work: impl FnOnce(&Weak<ServiceInner>) + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    let service = Arc::downgrade(service);
    thread(name, move || {
        if let Some(service) = service.upgrade() {
            service.environment.give_way();
        }
        work(&service);
    })
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|source| Error::io("a thread of the service", source))
}

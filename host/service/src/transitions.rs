//! Who serves next: each transition with what goes with it. What is written down comes before a step ahead, so
//! that a restart finds what a client has met, and after a step back, which may not wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::decisions::{Decision, Event};
use crate::deployment::Deployment;
use crate::ejected::Ejected;
use crate::inner::ServiceInner;
use crate::persisted_state::PersistedState;
use crate::status::{Failure, Liar, Standing, Swap};
use keyhole_log::error::Error;
use keyhole_log::model::Page;

/// An ejection that was made, and is to be written down.
pub(super) struct Ejection {
    decision: Decision,
    swapped: bool,
}

/// Makes a candidate that is ready, or a fallback, the active deployment.
pub(super) fn promote(
    service: &ServiceInner,
    name: &str,
    revision: Option<u64>,
    by: Option<String>,
) -> Result<Swap, Error> {
    let _order = service.order.lock();
    let began = Instant::now();
    let promotion = service.lifecycle.plan_promotion(name, revision)?;
    let next = &promotion.next;
    service.environment.liars.check(&next.name, &next.digest)?;
    let reason = match &promotion.before {
        Some(before) => format!("promoted over {}", before.shown()),
        None => "promoted: nothing served".to_owned(),
    };
    service.record(&Decision { by: by.clone(), ..service.about(Event::Swap, next, reason) })?;
    PersistedState::write(&service.state_folder, Some(next), &promotion.fallbacks)?;
    match service.lifecycle.promote(&promotion, began) {
        Ok(swap) => {
            service.queue.tidy();
            Ok(swap)
        }
        Err(error) => {
            let reason = format!("not promoted: {error}");
            service.record(&Decision { by, ..service.about(Event::Swap, next, reason) })?;
            service.persist()?;
            Err(error)
        }
    }
}

/// Makes the last fallback the active deployment again. The one that served is shadowed anew before it may serve
/// again.
pub(super) fn roll_back(service: &ServiceInner, by: Option<String>) -> Result<Swap, Error> {
    let (swap, next, before) = service.lifecycle.roll_back(Instant::now())?;
    service.queue.tidy();
    let reason = match before {
        Some(before) => format!("rolled back from {}", before.shown()),
        None => "rolled back: nothing served".to_owned(),
    };
    service.settle(&Decision { by, ..service.about(Event::Swap, &next, reason) }, true);
    Ok(swap)
}

/// Drains a deployment that does not serve: waits until it has answered what it began.
pub(super) fn drain(
    service: &ServiceInner,
    name: &str,
    by: Option<String>,
    patience: Duration,
) -> Result<Standing, Error> {
    let deployment = {
        let _order = service.order.lock();
        service.lifecycle.drain(name)?
    };
    service.queue.tidy();
    let deadline = Instant::now() + patience;
    while deployment.in_flight() > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    let last = deployment.standing(None);
    let _order = service.order.lock();
    service.persist()?;
    let reason = format!("let go: {} requests answered, {} still in flight", last.answered, last.in_flight);
    service.record(&Decision { by, ..service.about(Event::Stage, &deployment, reason) })?;
    service.lifecycle.forget_drained();
    Ok(last)
}

/// Ejects a deployment that served a page that opens its breaker. The caller writes it down, once the page is
/// answered.
pub(super) fn page_served(
    service: &ServiceInner,
    deployment: &Arc<Deployment>,
    page: &Result<Page, Error>,
) -> Option<Ejection> {
    let error = page.as_ref().err().filter(|error| deployment.breaker.failed(error))?;
    let reason = format!("taken out by the breaker: last {}", error.observed());
    Some(eject(service, deployment, Ejected::Tripped, reason, true))
}

/// Ejects a deployment that served a page that the reference says is wrong: once is enough, whatever its breaker says,
/// and for good.
pub(super) fn wrong_page_served(service: &ServiceInner, deployment: &Arc<Deployment>, failure: &Failure) {
    deployment.breaker.lied(failure.kind.clone());
    let reason = format!("taken out: it served a wrong page ({}): {}", failure.kind, failure.message);
    refute(service, deployment, failure, reason);
}

/// Ejects a deployment for good that answers wrongly, and has its component kept out from now on.
pub(super) fn refute(
    service: &ServiceInner,
    deployment: &Arc<Deployment>,
    failure: &Failure,
    reason: String,
) {
    // One that is known was taken out with all that have its component: what it served before says nothing new.
    if !service.environment.liars.remember(&deployment.name, &deployment.digest, failure) {
        return;
    }
    let mut ejection = eject(service, deployment, Ejected::Refuted, reason, false);
    ejection.decision.request = failure.smallest_text();
    ejection.swapped = true;
    ejection.write_down(service);
}

/// Lets a proven liar be staged again, by an operator's order.
pub(super) fn pardon(service: &ServiceInner, digest: &str, by: Option<String>) -> Result<Liar, Error> {
    let _order = service.order.lock();
    let liars = &service.environment.liars;
    let liar = liars.forget(digest)?;
    let reason = format!("pardoned: it served a wrong page ({}) at {}", liar.kind, liar.at);
    let decision = service.decision(Event::Stage, &liar.name, reason);
    let digest = Some(format!("sha256:{}", liar.digest));
    let written = service.record(&Decision { digest, by, ..decision }).and_then(|()| liars.write());
    if let Err(error) = written {
        liars.put_back(liar);
        return Err(error);
    }
    Ok(liar)
}

/// Ejects a deployment; if it is the active one, the last fallback takes its place, or none does.
pub(super) fn eject(
    service: &ServiceInner,
    deployment: &Arc<Deployment>,
    why: Ejected,
    reason: String,
    may_cool_down: bool,
) -> Ejection {
    let (reason, swap) = service.lifecycle.eject(deployment, why, reason, may_cool_down);
    service.queue.tidy();
    Ejection { decision: service.about(Event::Swap, deployment, reason), swapped: swap.is_some() }
}

impl Ejection {
    pub(super) fn write_down(&self, service: &ServiceInner) {
        service.settle(&self.decision, self.swapped);
    }
}

/// Readmits a deployment that its breaker ejected with nobody to follow, after its cool-down.
pub(super) fn end_cool_down(service: &ServiceInner) {
    if let Some((deployment, _)) = service.lifecycle.end_cool_down() {
        let reason = "serves again after a rest: nothing else did";
        service.settle(&service.about(Event::Swap, &deployment, reason), true);
    }
}

/// Forgets deployments that have drained, and writes that down.
pub(super) fn forget_drained(service: &ServiceInner) {
    for deployment in service.lifecycle.forget_drained() {
        let reason = format!("let go: it has answered all of its {} requests", deployment.answered());
        service.settle(&service.about(Event::Stage, &deployment, reason), false);
    }
}

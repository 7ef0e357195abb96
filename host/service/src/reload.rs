//! A change of the policy: all of it is put in force, or none. A strategy that it no longer lets in does not serve
//! from that moment on.

use std::sync::Arc;

use crate::decisions::Event;
use crate::deployment::Deployment;
use crate::deployments::not_ready;
use crate::inner::ServiceInner;
use crate::lifecycle::Fate;
use crate::persisted_state::component_path;
use crate::staging::{found_in, reference};
use crate::status::Reloaded;
use keyhole_log::error::Error;
use keyhole_runtime::policy::Policy;
use keyhole_runtime::registry::{Found, Registry};

/// How often the change begins anew where the deployments changed meanwhile.
const ATTEMPTS: u32 = 8;

/// Puts another policy in force.
pub(super) fn reload(service: &ServiceInner, policy: Policy) -> Result<Reloaded, Error> {
    service.lifecycle.have_begun()?;
    let policy = Arc::new(policy);
    let reference = reference(&service.environment, &policy)?;
    // It must be there at once: nothing is judged without it.
    reference.ensure_filled()?;
    for _ in 0..ATTEMPTS {
        let mut fates = Vec::new();
        for deployment in service.lifecycle.known() {
            let fate = fate(service, &policy, &deployment)?;
            fates.push((deployment, fate));
        }
        let _order = service.order.lock();
        let Some(reloaded) = service.lifecycle.apply_policy(&policy, &reference, &fates) else { continue };
        service.samples.set_reference_share(policy.serve.reference_share);
        service.queue.tidy();
        service.persist()?;
        for (deployment, fate) in &fates {
            let reason = match fate {
                Fate::Unchanged => continue,
                Fate::Revoked(why) => format!("revoked by the policy: {why}"),
                Fate::Regranted(_) => "the policy grants it something else".to_owned(),
            };
            service.record(&service.about(Event::Swap, deployment, reason))?;
        }
        let active =
            service.lifecycle.active().as_ref().map_or("nothing".to_owned(), |active| active.shown());
        let reason = format!("the policy was read again: {active} serves");
        service.record(&service.decision(Event::Stage, "", reason))?;
        return Ok(reloaded);
    }
    Err(not_ready("the policy", "strategies were swapped all the while: try again"))
}

/// What a policy means for a deployment. Its successor, if it has one, is compiled and filled before the change.
fn fate(service: &ServiceInner, policy: &Policy, deployment: &Deployment) -> Result<Fate, Error> {
    let is_refusal = |error: &Error| error.blames_strategy() || matches!(error, Error::NoSuchStrategy { .. });
    let found = match found_again(service, policy, deployment) {
        Err(error) if is_refusal(&error) => return Ok(Fate::Revoked(error.to_string())),
        found => found?,
    };
    if found.grants == deployment.strategy.grants {
        return Ok(Fate::Unchanged);
    }
    let successor = match service.environment.deploy(policy, found) {
        Err(error) if error.blames_strategy() => return Ok(Fate::Revoked(error.to_string())),
        successor => successor?,
    };
    successor.ensure_filled()?;
    successor.set_proven(deployment.is_proven());
    Ok(Fate::Regranted(successor))
}

/// The component of a deployment, as a policy lets it in.
fn found_again(service: &ServiceInner, policy: &Policy, deployment: &Deployment) -> Result<Found, Error> {
    let Some(bytes) = &deployment.bytes else { return Registry::new(policy).find(&deployment.name) };
    let kept = component_path(&service.state_folder, &deployment.digest);
    let origin = if kept.exists() { kept } else { deployment.origin.clone() };
    found_in(policy, origin, bytes.to_vec(), Some(&deployment.name))
}

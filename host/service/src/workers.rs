//! The worker threads: each answers one request at a time, from beginning to end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::deployment::{Deployment, InFlight, Workers};
use crate::inner::ServiceInner;
use crate::queue::{Answered, Job, Next, Queue};
use crate::transitions;
use keyhole_log::error::{Error, Spent};
use keyhole_log::model::Page;

/// Answers requests until the service ends.
pub(super) fn worker_loop(queue: &Queue, service: &Weak<ServiceInner>) {
    let (mut workers, mut tidied) = (Workers::default(), 0);
    loop {
        match queue.next(&mut tidied) {
            Next::Tidy => workers.forget_draining(),
            Next::Leave => return,
            Next::Answer(job) => {
                let request = Arc::clone(&job.cancel);
                if let Some(service) = service.upgrade() {
                    answer(&service, &mut workers, job);
                }
                queue.done(&request);
            }
        }
    }
}

/// Answers with the deployment that was active when the request came. A deployment that was ejected since then
/// does not begin, and one that was revoked does not finish: the one that serves now does.
fn answer(service: &ServiceInner, workers: &mut Workers, mut job: Job) {
    let waited = job.entered.elapsed();
    loop {
        if job.in_flight.deployment().is_ejected() {
            match &*service.lifecycle.active() {
                Some(active) if !active.is_ejected() => job.in_flight = InFlight::new(active),
                _ => {
                    let page = Err(Error::NothingServes { why: "it was taken out".to_owned() });
                    return reply(job, page, waited, Duration::ZERO, &Cost::default());
                }
            }
        }
        let deployment = Arc::clone(job.in_flight.deployment());
        let began = Instant::now();
        let (page, cost) = page(service, workers, &deployment, &job);
        if deployment.is_revoked() && !job.cancel.is_cancelled() {
            continue;
        }
        // Whoever still waits did not cancel the request: the end of the service did.
        let page = page.map_err(|error| match error {
            Error::Cancelled => Error::ShuttingDown,
            error => error,
        });
        let ejection = transitions::page_served(service, &deployment, &page);
        let sample = page.as_ref().ok().and_then(|page| {
            service.samples.draw(&service.lifecycle, &deployment, page, &service.environment.log)
        });
        reply(job, page, waited, began.elapsed(), &cost);
        if let Some(sample) = sample {
            service.samples.put(sample);
        }
        if let Some(ejection) = ejection {
            ejection.write_down(service);
        }
        return;
    }
}

/// What a page cost besides time.
#[derive(Default)]
struct Cost {
    /// How often the strategy was denied something.
    denied: u64,
    /// What the last try used, where there is no page.
    spent: Spent,
}

/// Asks the thread's worker of that deployment.
fn page(
    service: &ServiceInner,
    workers: &mut Workers,
    deployment: &Arc<Deployment>,
    job: &Job,
) -> (Result<Page, Error>, Cost) {
    let worker = workers.of(&service.environment, deployment);
    let answered = catch_unwind(AssertUnwindSafe(|| job.cancel.page(worker, &job.request)));
    let Ok(page) = answered else {
        // In no known state: it is not used again.
        workers.forget(deployment);
        return (Err(Error::Engine("a worker panicked".to_owned())), Cost::default());
    };
    let spent = if page.is_err() { worker.spent() } else { Spent::default() };
    let denied = workers.answered(deployment);
    if deployment.is_draining() {
        workers.forget(deployment);
    }
    (page, Cost { denied, spent })
}

/// Hands the answer over, and then the deployment back.
fn reply(job: Job, page: Result<Page, Error>, waited: Duration, served: Duration, cost: &Cost) {
    let Job { in_flight, reply, .. } = job;
    let deployment = in_flight.deployment();
    let (strategy, digest) = (Arc::clone(&deployment.name), Arc::clone(&deployment.digest));
    // Whoever asked may have gone.
    let &Cost { denied, spent } = cost;
    let _ = reply.send(Answered { page, strategy, digest, waited, served, denied, spent });
}

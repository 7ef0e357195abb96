//! One worker thread: its connections, and how it answers a request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::page::Page;
use crate::service::House;
use crate::service::pool::{Job, Next, Outcome, Queue};
use crate::service::serving::{Held, Serving, nothing_serves};
use crate::strategy::Worker;

/// The strategies that a thread holds connections for. Few serve at once: the active one, the one before.
#[derive(Default)]
struct Desk {
    workers: Vec<(Arc<Serving>, Worker)>,
}

/// Answers requests until the service ends.
pub(super) fn work(queue: &Arc<Queue>, house: &Weak<House>) {
    let (mut desk, mut tidied) = (Desk::default(), 0);
    loop {
        match queue.next(&mut tidied) {
            Next::Tidy => desk.workers.retain(|(serving, _)| !serving.is_retired()),
            Next::Leave => return,
            Next::Answer(job) => {
                let ticket = Arc::clone(&job.ticket);
                if let Some(house) = house.upgrade() {
                    desk.answer(&house, job);
                }
                queue.done(&ticket);
            }
        }
    }
}

impl Desk {
    /// Answers with the strategy that was active when the request came. One that has been taken out since
    /// then does not begin, and one that was revoked does not finish: the one that serves now does.
    fn answer(&mut self, house: &House, mut job: Job) {
        let waited = job.entered.elapsed();
        loop {
            if job.held.serving().is_out() {
                match house.active() {
                    Some(serving) if !serving.is_out() => job.held = Held::new(&serving),
                    _ => {
                        let error = nothing_serves("it was taken out");
                        let outcome = Outcome { page: Err(error), waited, served: Duration::ZERO, denied: 0 };
                        return job.answer(job.held.serving(), outcome);
                    }
                }
            }
            let serving = Arc::clone(job.held.serving());
            let began = Instant::now();
            let (page, denied) = self.page(house, &serving, &job);
            if serving.is_revoked() && job.ticket.is_wanted() {
                continue;
            }
            // Whoever still waits did not cancel it: the end of the service did.
            let page = match page {
                Err(Error::Cancelled) if job.ticket.is_wanted() => Err(Error::ShuttingDown),
                page => page,
            };
            let after = house.saw(&serving, &page);
            let sample = house.sample(&serving, &page);
            job.answer(&serving, Outcome { page, waited, served: began.elapsed(), denied });
            drop(job);
            house.after(after, sample);
            return;
        }
    }

    fn page(&mut self, house: &House, serving: &Arc<Serving>, job: &Job) -> (Result<Page, Error>, u64) {
        let worker = self.worker(house, serving);
        if !job.ticket.begin(worker.canceller()) {
            return (Err(Error::Cancelled), 0);
        }
        let answered =
            catch_unwind(AssertUnwindSafe(|| worker.page_if(&job.request, || job.ticket.is_wanted())));
        let Ok(page) = answered else {
            // In no known state: it is not used again.
            self.forget(serving);
            return (Err(Error::Engine("a worker panicked".to_owned())), 0);
        };
        serving.saw(worker);
        let denied = worker.ledger().map_or(0, |ledger| ledger.denied);
        if serving.is_retired() {
            self.forget(serving);
        }
        (page, denied)
    }

    fn worker(&mut self, house: &House, serving: &Arc<Serving>) -> &mut Worker {
        let place = self.workers.iter().position(|(held, _)| Arc::ptr_eq(held, serving));
        let place = place.unwrap_or_else(|| {
            self.workers.push((Arc::clone(serving), house.worker(serving)));
            self.workers.len() - 1
        });
        &mut self.workers[place].1
    }

    fn forget(&mut self, serving: &Arc<Serving>) {
        self.workers.retain(|(held, _)| !Arc::ptr_eq(held, serving));
    }
}

//! The comparison of what was served: with the reference's page of the same snapshot, and with a candidate's.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, Weak};

use crate::error::Error;
use crate::log::Identity;
use crate::page::{Page, PageRequest, Pager};
use crate::service::House;
use crate::service::lane::{Leash, Stop};
use crate::service::proof::{Prover, failure_from};
use crate::service::serving::Serving;
use crate::service::shadow::{Run, Sample, Samples};
use crate::service::status::{Failure, Stage};
use crate::strategy::Worker;
use crate::verify::compare::first_difference;
use crate::verify::sides::{Case, bounded};

/// The lane's connections: of the reference, of a candidate, of a strategy that serves.
#[derive(Default)]
struct Bench {
    workers: Vec<(Arc<Serving>, Worker)>,
}

/// Compares samples until the service ends.
pub(super) fn work(samples: &Arc<Samples>, house: &Weak<House>) {
    if let Some(house) = house.upgrade() {
        house.give_way();
    }
    let mut bench = Bench::default();
    while let Some(sample) = samples.next() {
        let Some(house) = house.upgrade() else { return };
        bench.compare(&house, &sample);
        bench.workers.retain(|(serving, _)| !serving.is_retired());
    }
}

impl Bench {
    fn compare(&mut self, house: &House, sample: &Sample) {
        if sample.with_reference {
            let counts = &house.samples.counts;
            match self.with_reference(house, sample) {
                Ok(None) => counts.equal.fetch_add(1, Relaxed),
                Ok(Some(failure)) => {
                    let mut last = counts.last.lock().unwrap_or_else(PoisonError::into_inner);
                    *last = Some(failure.clone());
                    drop(last);
                    let different = counts.different.fetch_add(1, Relaxed);
                    house.caught(&sample.serving, failure);
                    different
                }
                Err(_) => counts.undecided.fetch_add(1, Relaxed),
            };
        }
        if let Some(run) = &sample.shadow
            && !run.stop.is_stopped()
            && house.samples.is_in_shadow(run)
        {
            match self.with_candidate(house, sample, run) {
                Ok(None) => {
                    if run.equal(&sample.page) {
                        house.shadow_over(run, None);
                    }
                }
                Ok(Some(failure)) => house.shadow_over(run, Some(failure)),
                Err(_) => {
                    run.undecided.fetch_add(1, Relaxed);
                }
            }
        }
    }

    /// The difference between what was served and the reference's page of the same snapshot.
    fn with_reference(&mut self, house: &House, sample: &Sample) -> Result<Option<Failure>, Error> {
        let reference = house.reference();
        if reference.digest == sample.serving.digest {
            return Ok(None);
        }
        let request = at_its_snapshot(&sample.page);
        let right = self.right(house, &reference, sample, &request)?;
        if first_difference(&sample.page, &right).is_none() {
            return Ok(None);
        }
        let case = Case { request, subject: Ok(sample.page.clone()), reference: right };
        Self::explain(house, &sample.serving, &reference, &case, "reference", Stage::Active)
    }

    /// The difference between what was served and the candidate's page of the same snapshot, if it is the
    /// candidate's fault. If it is the other's, that one is caught.
    fn with_candidate(
        &mut self,
        house: &House,
        sample: &Sample,
        run: &Arc<Run>,
    ) -> Result<Option<Failure>, Error> {
        let request = at_its_snapshot(&sample.page);
        let page = self.ask(house, &run.serving, &run.stop, &request);
        let subject = match page {
            Ok(page) if first_difference(&page, &sample.page).is_none() => return Ok(None),
            Ok(page) => Ok(page),
            // What the active strategy answers, a candidate may not refuse.
            Err(error) if error.blames_strategy() || matches!(error, Error::BadRequest { .. }) => Err(error),
            Err(error) => return Err(error),
        };
        let reference = house.reference();
        let right = self.right(house, &reference, sample, &request)?;
        if subject.as_ref().is_ok_and(|page| first_difference(page, &right).is_none()) {
            if Arc::ptr_eq(&sample.serving, &reference) || sample.with_reference {
                return Ok(None);
            }
            let case = Case { request, subject: Ok(sample.page.clone()), reference: right };
            if let Some(failure) =
                Self::explain(house, &sample.serving, &reference, &case, "shadow", Stage::Active)?
            {
                house.caught(&sample.serving, failure);
            }
            return Ok(None);
        }
        let case = Case { request, subject, reference: right };
        Self::explain(house, &run.serving, &reference, &case, "shadow", Stage::Shadow)
    }

    /// The reference's page. Fails where the log is not the one that the sample was taken from.
    fn right(
        &mut self,
        house: &House,
        reference: &Arc<Serving>,
        sample: &Sample,
        request: &PageRequest,
    ) -> Result<Page, Error> {
        let right = self.ask(house, reference, &house.over, request)?;
        let same =
            Identity::of(&house.log.database)? == sample.log && right.high_water >= sample.page.high_water;
        if same { Ok(right) } else { Err(Error::LogReplaced { path: house.log.database.clone() }) }
    }

    fn explain(
        house: &House,
        subject: &Arc<Serving>,
        reference: &Arc<Serving>,
        case: &Case,
        stream: &str,
        stage: Stage,
    ) -> Result<Option<Failure>, Error> {
        let (mut subject_worker, mut reference_worker) = (house.worker(subject), house.worker(reference));
        let mut prover = Prover {
            name: &subject.name,
            reference_name: &reference.name,
            subject: &mut subject_worker,
            reference: &mut reference_worker,
            stop: &house.over,
            until: None,
        };
        match prover.explain(case, stream, stage) {
            Ok(failure) => Ok(Some(failure)),
            Err(Error::Interrupted) => Err(Error::Interrupted),
            // What was seen stands, even where nothing more can be found out about it.
            Err(_) => {
                let error = Error::Differs { what: case.words() };
                let request = serde_json::to_value(&case.request).ok();
                Ok(Some(Failure { smallest: request.clone(), request, ..failure_from(&error, stage) }))
            }
        }
    }

    fn ask(
        &mut self,
        house: &House,
        serving: &Arc<Serving>,
        stop: &Stop,
        request: &PageRequest,
    ) -> Result<Page, Error> {
        let place = self.workers.iter().position(|(held, _)| Arc::ptr_eq(held, serving));
        let place = place.unwrap_or_else(|| {
            self.workers.push((Arc::clone(serving), house.worker(serving)));
            self.workers.len() - 1
        });
        let page = Leash { worker: &mut self.workers[place].1, stop, until: None }.page(request);
        serving.saw(&self.workers[place].1);
        page
    }
}

/// The request that the page answers, for exactly the snapshot that the page saw.
fn at_its_snapshot(page: &Page) -> PageRequest {
    let up_to = page.request.up_to.map_or(page.high_water, |up_to| up_to.min(page.high_water));
    bounded(&page.request, up_to)
}

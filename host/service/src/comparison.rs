//! The comparison of samples: each page that was served with the reference's page of the same snapshot, and with
//! that of a candidate in shadow. Off the request's path, on idle priority.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Weak};

use crate::background::{BackgroundPager, CancellationToken};
use crate::deployment::{Deployment, Workers};
use crate::deployments::ShadowRun;
use crate::inner::ServiceInner;
use crate::proof::Prover;
use crate::sampling::Sample;
use crate::status::{Failure, Stage};
use crate::{staging, transitions};
use keyhole_log::Identity;
use keyhole_log::error::Error;
use keyhole_log::model::{Page, PageRequest, Pager};
use keyhole_proof::verify::compare::first_difference;
use keyhole_proof::verify::sides::{Case, bounded};

/// Compares samples until the service ends.
pub(super) fn comparison_loop(samples: &Receiver<Sample>, service: &Weak<ServiceInner>) {
    let mut workers = Workers::default();
    for sample in samples {
        let Some(service) = service.upgrade().filter(|service| !service.ended.is_cancelled()) else { return };
        service.samples.took(&sample);
        Comparison { service: &service, workers: &mut workers, sample: &sample }.compare();
        workers.forget_draining();
    }
}

/// The comparison of one sample.
struct Comparison<'a> {
    service: &'a ServiceInner,
    workers: &'a mut Workers,
    sample: &'a Sample,
}

impl Comparison<'_> {
    fn compare(&mut self) {
        let (service, sample) = (self.service, self.sample);
        if sample.with_reference {
            let outcome = self.with_reference();
            let mut compared = service.samples.compared.lock();
            match outcome {
                Ok(None) => compared.equal += 1,
                Ok(Some(failure)) => {
                    compared.different += 1;
                    compared.last = Some(failure.clone());
                    drop(compared);
                    transitions::wrong_page_served(service, &sample.deployment, &failure);
                }
                Err(_) => compared.undecided += 1,
            }
        }
        let shadow = sample.shadow.as_ref().filter(|run| {
            let now = service.lifecycle.shadow();
            !run.cancel.is_cancelled() && now.as_ref().is_some_and(|now| Arc::ptr_eq(now, run))
        });
        if let Some(run) = shadow {
            match self.with_candidate(run) {
                Ok(None) => {
                    let mut figures = run.figures.lock();
                    figures.non_empty += u64::from(!sample.page.is_empty());
                    figures.compared += 1;
                    let is_last = figures.compared >= figures.requests;
                    drop(figures);
                    if is_last {
                        staging::end_shadow(service, run, None);
                    }
                }
                Ok(Some(failure)) => staging::end_shadow(service, run, Some(failure)),
                Err(_) => run.figures.lock().undecided += 1,
            }
        }
    }

    /// The difference between what was served and the reference's page of the same snapshot.
    fn with_reference(&mut self) -> Result<Option<Failure>, Error> {
        let reference = self.service.lifecycle.reference();
        if reference.digest == self.sample.deployment.digest {
            return Ok(None);
        }
        let request = at_its_snapshot(&self.sample.page);
        let right = self.right(&reference, &request)?;
        if first_difference(&self.sample.page, &right).is_none() {
            return Ok(None);
        }
        self.check_history()?;
        self.explain_served(&reference, request, right, "reference").map(Some)
    }

    /// Fails where the page may differ because the log's history was changed, which is nobody's fault.
    fn check_history(&self) -> Result<(), Error> {
        let Sample { deployment, generation, .. } = self.sample;
        if deployment.was_stale(*generation) {
            return Err(Error::ScratchUnfit { why: "the log's history was changed".to_owned() });
        }
        Ok(())
    }

    /// The difference between what was served and the candidate's page of the same snapshot, if it is the
    /// candidate's fault. If it is the fault of the strategy that served, that one is ejected.
    fn with_candidate(&mut self, run: &ShadowRun) -> Result<Option<Failure>, Error> {
        let sample = self.sample;
        let request = at_its_snapshot(&sample.page);
        let subject = match self.ask(&run.deployment, &run.cancel, &request) {
            Ok(page) if first_difference(&page, &sample.page).is_none() => return Ok(None),
            Ok(page) => Ok(page),
            // What the active strategy answers, a candidate may not refuse.
            Err(error) if error.blames_strategy() || matches!(error, Error::BadRequest { .. }) => Err(error),
            Err(error) => return Err(error),
        };
        self.check_history()?;
        let before = run.deployment.generation();
        if run.deployment.was_stale(before) {
            return Err(Error::ScratchUnfit { why: "the log's history was changed".to_owned() });
        }
        let reference = self.service.lifecycle.reference();
        let right = self.right(&reference, &request)?;
        if subject.as_ref().is_ok_and(|page| first_difference(page, &right).is_none()) {
            if !Arc::ptr_eq(&sample.deployment, &reference) && !sample.with_reference {
                let failure = self.explain_served(&reference, request, right, "shadow")?;
                transitions::wrong_page_served(self.service, &sample.deployment, &failure);
            }
            return Ok(None);
        }
        let case = Case { request, subject, reference: right };
        self.explain(&run.deployment, &reference, &case, "shadow", Stage::Shadow).map(Some)
    }

    /// The reference's page. Fails where the log is not the one that the sample was taken from.
    fn right(&mut self, reference: &Arc<Deployment>, request: &PageRequest) -> Result<Page, Error> {
        let right = self.ask(reference, &self.service.ended, request)?;
        let (path, sample) = (&self.service.environment.log.database, self.sample);
        let same = Identity::of(path)? == sample.log && right.high_water >= sample.page.high_water;
        if same { Ok(right) } else { Err(Error::LogReplaced { path: path.clone() }) }
    }

    fn explain_served(
        &self,
        reference: &Deployment,
        request: PageRequest,
        right: Page,
        stream: &str,
    ) -> Result<Failure, Error> {
        let case = Case { request, subject: Ok(self.sample.page.clone()), reference: right };
        self.explain(&self.sample.deployment, reference, &case, stream, Stage::Active)
    }

    fn explain(
        &self,
        subject: &Deployment,
        reference: &Deployment,
        case: &Case,
        stream: &str,
        stage: Stage,
    ) -> Result<Failure, Error> {
        let service = self.service;
        let mut prover = Prover::new(&service.environment, subject, reference, &service.ended);
        match prover.explain(case, stream, stage) {
            Err(error) if !matches!(error, Error::Interrupted) => {
                // What was seen stands, even where nothing more can be found out about it.
                let error = Error::Differs { what: case.words() };
                let request = serde_json::to_value(&case.request).ok();
                Ok(Failure { smallest: request.clone(), request, ..Failure::of(&error, stage) })
            }
            explained => explained,
        }
    }

    fn ask(
        &mut self,
        deployment: &Arc<Deployment>,
        cancel: &CancellationToken,
        request: &PageRequest,
    ) -> Result<Page, Error> {
        let worker = self.workers.of(&self.service.environment, deployment);
        let page = BackgroundPager { worker, cancel, until: None }.page(request);
        self.workers.answered(deployment);
        page
    }
}

/// The request that the page answers, for exactly the snapshot that the page saw.
fn at_its_snapshot(page: &Page) -> PageRequest {
    let up_to = page.request.up_to.map_or(page.high_water, |up_to| up_to.min(page.high_water));
    bounded(&page.request, up_to)
}

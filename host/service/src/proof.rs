//! The proof that a strategy may serve: the streams of `verify` and whole walks, all pages equal.

use std::time::{Duration, Instant};

use crate::background::{BackgroundPager, CancellationToken};
use crate::deployment::{Deployment, Environment};
use crate::status::{Failure, Stage};
use keyhole_log::dataset::generator;
use keyhole_log::error::Error;
use keyhole_log::model::{Page, PageRequest};
use keyhole_log::survey::profile::Profile;
use keyhole_proof::streams;
use keyhole_proof::verify::sides::{Case, Judged, Sides};
use keyhole_proof::verify::{Finding, Names, classify, shrink, walk, walks};
use keyhole_runtime::page::Worker;

/// Requests of each stream.
const REQUESTS: usize = 1_000;

/// How long a smaller request is looked for.
const SHRINKING: Duration = Duration::from_secs(10);

/// What a proof found.
pub(super) enum Proof {
    /// All of so many pages were equal.
    Equal(u64),
    /// One was not; or, undecided, the time was over before all were compared.
    Failed { failure: Failure, decided: bool },
}

/// Compares a deployment with the reference, on workers of its own.
pub(super) struct Prover<'a> {
    subject: (&'a Deployment, Worker),
    reference: (&'a Deployment, Worker),
    cancel: &'a CancellationToken,
}

impl<'a> Prover<'a> {
    pub(super) fn new(
        environment: &Environment,
        subject: &'a Deployment,
        reference: &'a Deployment,
        cancel: &'a CancellationToken,
    ) -> Self {
        let with_worker =
            |deployment: &'a Deployment| (deployment, environment.worker(deployment).for_comparison());
        Self { subject: with_worker(subject), reference: with_worker(reference), cancel }
    }

    /// Compares until a page differs, for so long. `progress` hears what is compared, how far it is, and of how
    /// much.
    pub(super) fn prove(
        &mut self,
        profile: &Profile,
        time: Duration,
        until: Instant,
        progress: &mut dyn FnMut(&str, u64, u64),
    ) -> Result<Proof, Error> {
        let seed = generator::SEED;
        let streams = [
            streams::contract(profile, seed, REQUESTS),
            streams::dense(profile, seed, REQUESTS),
            streams::edges(profile, seed, REQUESTS),
        ];
        let walks = walks(profile);
        let requests: usize = streams.iter().map(|stream| stream.requests.len()).sum();
        let all = (requests + walks.iter().map(|stream| stream.walks.len()).sum::<usize>()) as u64;
        let (mut done, mut pages) = (0, 0);
        let requests =
            streams.iter().flat_map(|stream| stream.requests.iter().map(move |it| (stream.name, Ok(it))));
        let walks = walks.iter().flat_map(|stream| stream.walks.iter().map(move |it| (stream.name, Err(it))));
        for (stream, asked) in requests.chain(walks) {
            let mut seen = 1;
            let compared = self.ask(until, |sides| match asked {
                Ok(request) => sides.judge(request).map(differing),
                Err(walk) => {
                    seen = 0;
                    walk::walk(walk, sides, &mut |_: &Page| {
                        seen += 1;
                        Ok(())
                    })
                }
            });
            let failure = compared
                .and_then(|case| case.map(|case| self.explain(&case, stream, Stage::Indexed)).transpose());
            match failure {
                Ok(None) => {}
                Ok(Some(failure)) => return Ok(Proof::Failed { failure, decided: true }),
                Err(Error::Cancelled) => {
                    return Ok(Proof::Failed { failure: overdue(time, done, all), decided: false });
                }
                Err(error) => return Err(error),
            }
            pages += seen;
            done += 1;
            progress(stream, done, all);
        }
        Ok(Proof::Equal(pages))
    }

    /// The smallest request that shows a difference, in words.
    pub(super) fn explain(&mut self, case: &Case, stream: &str, stage: Stage) -> Result<Failure, Error> {
        let (subject, reference) = (self.subject.0, self.reference.0);
        let names = Names { subject: &subject.name, reference: &reference.name, options: &[] };
        self.ask(Instant::now() + SHRINKING, |sides| {
            let smallest = shrink::shrink(case, sides, shrink::TRIES)?;
            let smallest = smallest.as_ref().unwrap_or(case);
            let kind = match classify::classify(case, smallest, sides) {
                Ok(kind) => kind.to_string(),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                // Its name is a help; the difference stands without.
                Err(_) => smallest.subject.as_ref().err().map_or("differs".to_owned(), Error::observed),
            };
            Ok(failure_of(Finding::of(names, stream, kind, &case.request, smallest), stage))
        })
    }

    fn ask<T>(&mut self, until: Instant, ask: impl FnOnce(&mut Sides<'_>) -> T) -> T {
        let (cancel, until) = (self.cancel, Some(until));
        let mut subject = BackgroundPager { worker: &mut self.subject.1, cancel, until };
        let mut reference = BackgroundPager { worker: &mut self.reference.1, cancel, until };
        ask(&mut Sides { subject: &mut subject, reference: &mut reference })
    }
}

fn differing(judged: Judged) -> Option<Box<Case>> {
    match judged {
        Judged::Equal(_) | Judged::Unshown => None,
        Judged::Differs(case) => Some(case),
    }
}

/// The failure of a proof that was not over in time, after so many of so many requests and walks.
fn overdue(time: Duration, done: u64, all: u64) -> Failure {
    let within = "serve.proof_time of the policy";
    let message =
        format!("it was not proven within {time:?}, the {within}: {done} of {all} compared, all equal");
    Failure::new(Stage::Indexed, "proof-time".to_owned(), message)
}

/// A finding of `verify` as the service's own data.
fn failure_of(finding: Finding, stage: Stage) -> Failure {
    let value = |request: &PageRequest| serde_json::to_value(request).ok();
    Failure {
        smallest: value(&finding.smallest),
        request: value(&finding.request),
        repeat: Some(finding.repeat),
        ..Failure::new(stage, finding.kind, finding.what)
    }
}

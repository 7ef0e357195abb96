//! The proof that a strategy may serve: the streams of `verify` and whole walks, all pages equal.

use std::time::{Duration, Instant};

use crate::contract::{dataset, streams};
use crate::error::Error;
use crate::log::profile::Profile;
use crate::page::{Page, PageRequest};
use crate::service::lane::{Leash, Stop};
use crate::service::status::{Failure, Stage};
use crate::strategy::Worker;
use crate::verify::sides::{Case, Judged, Sides};
use crate::verify::{Finding, Names, classify, shrink, walk, walks};

/// Requests of each stream.
const REQUESTS: usize = 1_000;

/// How long a smaller request is looked for.
const SHRINKING: Duration = Duration::from_secs(10);

/// How often a request is asked again that could not be decided: each time the machine was too busy for the
/// lane's priority, or the log's writer held its lock.
const UNDECIDED: u32 = 200;

/// What a proof found.
pub(super) enum Proof {
    /// Every one of so many pages was equal.
    Equal(u64),
    /// One was not.
    Different(Box<Failure>),
    /// The time was over before all were compared: nothing is known against the strategy.
    Overdue(Box<Failure>),
}

/// A strategy, the reference, and who wants to know.
pub(super) struct Prover<'a> {
    pub(super) name: &'a str,
    pub(super) reference_name: &'a str,
    pub(super) subject: &'a mut Worker,
    pub(super) reference: &'a mut Worker,
    pub(super) stop: &'a Stop,
    /// When a proof is to be over: it fails with `Cancelled` after that.
    pub(super) until: Option<Instant>,
}

impl Prover<'_> {
    /// Compares until a page differs. `progress` hears what is compared, how far it is, and of how much.
    pub(super) fn prove(
        &mut self,
        profile: &Profile,
        progress: &mut dyn FnMut(&str, u64, u64),
    ) -> Result<Proof, Error> {
        let seed = dataset::SEED;
        let streams = [
            streams::contract(profile, seed, REQUESTS),
            streams::dense(profile, seed, REQUESTS),
            streams::edges(profile, seed, REQUESTS),
        ];
        let walks = walks(profile);
        let requests: usize = streams.iter().map(|stream| stream.requests.len()).sum();
        let all = (requests + walks.iter().map(|stream| stream.walks.len()).sum::<usize>()) as u64;
        let (mut done, mut pages) = (0, 0);
        for stream in &streams {
            for request in &stream.requests {
                if let Some(case) = self.patiently(|sides| sides.judge(request).map(differing))? {
                    return self.different(&case, stream.name);
                }
                pages += 1;
                done += 1;
                progress(stream.name, done, all);
            }
        }
        for stream in &walks {
            for each in &stream.walks {
                let mut seen = 0;
                let case = self.patiently(|sides| {
                    seen = 0;
                    walk::walk(each, sides, &mut |_: &Page| {
                        seen += 1;
                        Ok(())
                    })
                })?;
                if let Some(case) = case {
                    return self.different(&case, stream.name);
                }
                pages += seen;
                done += 1;
                progress(stream.name, done, all);
            }
        }
        Ok(Proof::Equal(pages))
    }

    /// The smallest request that shows a difference, in words.
    pub(super) fn explain(&mut self, case: &Case, stream: &str, stage: Stage) -> Result<Failure, Error> {
        let until = Some(Instant::now() + SHRINKING);
        let (names, stop) =
            (Names { subject: self.name, reference: self.reference_name, options: &[] }, self.stop);
        let mut subject = Leash { worker: self.subject, stop, until };
        let mut reference = Leash { worker: self.reference, stop, until };
        let mut sides = Sides { subject: &mut subject, reference: &mut reference };
        let smallest = shrink::shrink(case, &mut sides, shrink::TRIES)?;
        let smallest = smallest.as_ref().unwrap_or(case);
        let kind = match classify::classify(case, smallest, &mut sides) {
            Ok(kind) => kind.to_string(),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            // Its name is a help; the difference stands without.
            Err(_) => smallest.subject.as_ref().err().map_or("differs".to_owned(), Error::observed),
        };
        let finding = Finding::of(names, stream, kind, &case.request, smallest);
        Ok(failure_of(&finding, stage))
    }

    fn different(&mut self, case: &Case, stream: &str) -> Result<Proof, Error> {
        Ok(Proof::Different(Box::new(self.explain(case, stream, Stage::Indexed)?)))
    }

    fn patiently<T>(&mut self, mut ask: impl FnMut(&mut Sides<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let mut attempts = 0;
        loop {
            let mut subject = Leash { worker: self.subject, stop: self.stop, until: self.until };
            let mut reference = Leash { worker: self.reference, stop: self.stop, until: self.until };
            match ask(&mut Sides { subject: &mut subject, reference: &mut reference }) {
                Err(Error::Busy) if attempts < UNDECIDED && !self.stop.is_stopped() => {
                    attempts += 1;
                    std::thread::sleep(Duration::from_millis(5));
                }
                answer => return answer,
            }
        }
    }
}

fn differing(judged: Judged) -> Option<Box<Case>> {
    match judged {
        Judged::Equal(_) => None,
        Judged::Differs(case) => Some(case),
    }
}

/// A finding as the service's own data.
fn failure_of(finding: &Finding, stage: Stage) -> Failure {
    let value = |request: &PageRequest| serde_json::to_value(request).ok();
    Failure {
        stage,
        kind: finding.kind.clone(),
        message: finding.what.clone(),
        smallest: value(&finding.smallest),
        request: value(&finding.request),
        repeat: Some(finding.repeat.clone()),
        lines: None,
    }
}

/// An error that ended a strategy's way.
pub(super) fn failure_from(error: &Error, stage: Stage) -> Failure {
    Failure {
        stage,
        kind: error.observed(),
        message: error.to_string(),
        smallest: None,
        request: None,
        repeat: None,
        lines: error.lines().map(str::to_owned),
    }
}

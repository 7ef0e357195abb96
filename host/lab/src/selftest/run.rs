//! Runs one case of the table on a stage and says what an operator observes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::selftest::cases::{Between, Case, Seen};
use crate::selftest::stage::{self, Place, Stage};
use crate::selftest::zoo;
use keyhole_log::Log;
use keyhole_log::error::{Error, observed_denial};
use keyhole_log::grants::Instances;
use keyhole_log::model::Pager;
use keyhole_proof::streams::Stream;
use keyhole_proof::verify::sides::Sides;
use keyhole_proof::verify::{Checker, Names};
use keyhole_runtime::embedded::BASELINE;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::page::Worker;
use keyhole_runtime::scratch::Scratch;
use keyhole_runtime::strategy::Strategy;

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What was observed; nothing where the page was right and nothing was counted.
    pub observed: Vec<String>,
    /// Whether that is what the table expects.
    pub as_expected: bool,
    /// More about it: the error's own words.
    pub detail: String,
    /// How long the attack lasted: the last request, or the refresh that failed.
    pub took_ms: f64,
    /// The value of the limit that struck, where that is a time.
    pub budget_ms: Option<u64>,
}

/// How often a case is played where a time limit struck that the table does not name. On a busy machine
/// one strikes any strategy once in a while.
const ATTEMPTS: u32 = 3;

/// Plays a case. An error is one of the stage, not of the case.
pub fn run(engine: &Engine, stage: &Stage, case: &Case) -> Result<Outcome, Error> {
    let mut attempt = 1;
    loop {
        let outcome = play(engine, stage, case)?;
        let late = outcome.observed.iter().any(|seen| TIMES.contains(&seen.as_str()));
        if outcome.as_expected || !late || attempt == ATTEMPTS {
            return Ok(outcome);
        }
        attempt += 1;
    }
}

/// How the limits of time are observed.
const TIMES: [&str; 3] = ["guest-time", "wall-time", "sql-budget (log_lock)"];

fn play(engine: &Engine, stage: &Stage, case: &Case) -> Result<Outcome, Error> {
    let place = stage.place(case.name)?;
    let log = match case.between {
        Between::LogGrows => place.copy_of(&stage.log()?)?,
        _ => stage.log()?,
    };
    let component = zoo::component(case.name)
        .ok_or_else(|| Error::Engine(format!("no hostile strategy is named {}", case.name)))?;
    let mut play = Play { engine, place: &place, log, case, began: Instant::now(), took: Duration::ZERO };
    let outcome = play.load(&component).and_then(|strategy| play.ask(&strategy));
    let took_ms = play.took.as_secs_f64() * 1e3;
    let (observed, detail, budget_ms) = match outcome {
        Ok(observed) => (observed, String::new(), None),
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        Err(error) => (vec![error.observed()], error.to_string(), time_budget(&error)),
    };
    Ok(Outcome { as_expected: fits(case, &observed), observed, detail, took_ms, budget_ms })
}

fn time_budget(error: &Error) -> Option<u64> {
    match error {
        Error::Budget { limit: "guest_time" | "wall_time" | "log_lock", allowed } => Some(*allowed),
        _ => None,
    }
}

/// Whether what was observed is what the table says.
fn fits(case: &Case, observed: &[String]) -> bool {
    let seen = |expected: &&str| observed.iter().any(|observed| observed == expected);
    match case.seen {
        Seen::Refused | Seen::Compared => observed.len() == 1 && case.expected.iter().any(seen),
        Seen::Denied => case.expected.iter().all(seen) && !observed.iter().any(|it| it == DIFFERS),
        Seen::Harmless => observed.is_empty(),
    }
}

/// Observed of a page that is not the right one, where no comparison was asked to name the lie.
const DIFFERS: &str = "differs";

struct Play<'a> {
    engine: &'a Engine,
    place: &'a Place,
    log: Log,
    case: &'a Case,
    /// When the request began that is under way.
    began: Instant,
    took: Duration,
}

impl Play<'_> {
    fn load(&mut self, component: &[u8]) -> Result<Arc<Strategy>, Error> {
        let name = self.case.name;
        self.timed(|play| Strategy::load(play.engine, name, Path::new(name), component, play.case.grants()))
    }

    /// Sends the requests. What was observed besides an error.
    fn ask(&mut self, strategy: &Arc<Strategy>) -> Result<Vec<String>, Error> {
        let request = self.case.request();
        let scratch = strategy.is_indexed().then(|| self.scratch(strategy, &self.log));
        let mut worker = self.worker(strategy, scratch.as_ref())?;
        let mut page = None;
        for time in 0..self.case.times {
            if time == 1 && self.case.between != Between::Nothing {
                drop(worker);
                self.between(strategy, scratch.as_ref())?;
                worker = self.worker(strategy, scratch.as_ref())?;
            }
            if self.case.seen == Seen::Compared && time + 1 == self.case.times {
                return self.compare(&mut worker);
            }
            page = Some(self.timed(|_| worker.page(&request)));
            // Errors on the way there are the case's own affair.
            if time + 1 < self.case.times && !matches!(page, Some(Ok(_))) {
                break;
            }
        }
        let Some(page) = page.transpose()? else { return Ok(Vec::new()) };
        let mut observed: Vec<String> = worker.ledger().map_or_else(Vec::new, |ledger| {
            ledger.denials().map(|(rule, object)| observed_denial(rule, object)).collect()
        });
        if scratch.is_some_and(|scratch| !scratch.drops().is_empty()) {
            observed.push("scratch-refused".to_owned());
        }
        let right = self.reference().page(&request)?;
        if !page.events().map(|event| event.id).eq(right.events().map(|event| event.id)) {
            observed.push(DIFFERS.to_owned());
        }
        observed.sort_unstable();
        observed.dedup();
        Ok(observed)
    }

    /// Has a comparison with the reference name the lie.
    fn compare(&mut self, worker: &mut Worker) -> Result<Vec<String>, Error> {
        let mut reference = self.reference();
        let names = Names { subject: self.case.name, reference: "native-baseline", options: &[] };
        let stream = Stream { name: "selftest", requests: vec![self.case.request()] };
        self.timed(|_| {
            let mut checker = Checker {
                sides: Sides { subject: worker, reference: &mut reference },
                names,
                count_on: false,
                progress: &mut |_, _, _| Ok(()),
            };
            let report = checker.verify(&[stream], &[])?;
            let findings = report.streams.into_iter().flat_map(|stream| stream.differences);
            Ok(findings.map(|finding| finding.kind).collect())
        })
    }

    fn between(&mut self, strategy: &Arc<Strategy>, scratch: Option<&Arc<Scratch>>) -> Result<(), Error> {
        match (self.case.between, scratch) {
            (Between::LogGrows, scratch) => {
                stage::grow(&self.log)?;
                match scratch {
                    Some(scratch) => self.timed(|_| scratch.refresh()),
                    None => Ok(()),
                }
            }
            (Between::ScratchOfAnotherLog, Some(scratch)) => {
                let other = self.scratch(strategy, &self.place.another_log()?);
                other.ensure_filled()?;
                stage::swap(&other, scratch)
            }
            (Between::ScratchDamaged, Some(scratch)) => stage::damage(scratch),
            _ => Ok(()),
        }
    }

    fn scratch(&self, strategy: &Arc<Strategy>, log: &Log) -> Arc<Scratch> {
        Scratch::new(self.engine, strategy, log, &self.place.cache(), None)
    }

    /// A worker, its scratch filled.
    fn worker(&mut self, strategy: &Arc<Strategy>, scratch: Option<&Arc<Scratch>>) -> Result<Worker, Error> {
        if let Some(scratch) = scratch {
            self.timed(|_| scratch.ensure_filled())?;
        }
        let instances = self.case.instances;
        Ok(Worker::new(self.engine, strategy, instances, &self.log, scratch.cloned()))
    }

    fn reference(&self) -> Worker {
        let grants = keyhole_log::grants::Grants {
            limits: keyhole_log::limits::Limits::default().for_offset_paging(),
            ..keyhole_log::grants::Grants::local()
        };
        let native = Strategy::native_baseline("native-baseline", BASELINE, grants);
        Worker::new(self.engine, &native, Instances::Fresh, &self.log, None)
    }

    fn timed<T>(&mut self, run: impl FnOnce(&Self) -> T) -> T {
        self.began = Instant::now();
        let outcome = run(self);
        self.took = self.began.elapsed();
        outcome
    }
}

//! The run of an audit: fill, compare, measure, repeat elsewhere; then the facts are judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::compare::{Comparison, correctness};
use super::cost::{Point, measure, points};
use super::determinism::{Trials, determinism};
use super::facts::{Audit, Cost, Determinism, ScratchFacts};
use super::trial::{Answer, Job, Pass};
use super::{judge, totals, unseen};
use crate::contract::streams;
use crate::engine::Engine;
use crate::error::Error;
use crate::log::Log;
use crate::log::profile::Profile;
use crate::page::{Page, PageRequest, Pager};
use crate::policy::lines;
use crate::scratch::Scratch;
use crate::strategy::{Instances, Strategy, Worker};
use crate::usage::Usage;
use crate::verify::sides::Sides;
use crate::verify::{Names, walks};

/// How long all trials of one process may take, for each second that the comparison may take.
const TRIAL_SHARE: f64 = 0.32;

/// Requests of each stream that the trials repeat, beside the measured ones.
const REPEATED: usize = 12;

/// Runs a job in a process of its own: on the log in the first folder, with scratch in the second.
pub type Trial<'a> = dyn Fn(&Path, &Path, &Job) -> Result<Vec<Answer>, Error> + Sync + 'a;

/// A log and what is known of it.
pub struct Place {
    /// The folder.
    pub folder: PathBuf,
    /// The log in it.
    pub log: Log,
    /// Its summary.
    pub profile: Profile,
}

/// Everything that an audit runs on.
pub struct Ground<'a> {
    /// The process's engine.
    pub engine: &'a Engine,
    /// The strategy that is audited.
    pub strategy: Arc<Strategy>,
    /// The strategy that it must equal.
    pub reference: Arc<Strategy>,
    /// What a command that repeats a request calls them.
    pub names: Names<'a>,
    /// The log.
    pub whole: Place,
    /// A copy of its first half.
    pub half: Place,
    /// A folder for scratch that goes with the audit.
    pub cache: &'a Path,
    /// How instances live.
    pub instances: Instances,
    /// Requests of each stream.
    pub requests: usize,
    /// The seed that they are drawn with.
    pub seed: u64,
    /// How long comparing may take.
    pub comparing: Duration,
    /// How to run a trial.
    pub trial: &'a Trial<'a>,
    /// Told how far it has come: of how many pages.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Ground<'_> {
    /// Runs the audit and fills in what it found.
    pub fn run(&self, audit: &mut Audit) -> Result<(), Error> {
        let scratch = self.scratch(&self.strategy, &self.whole.log, "one")?;
        if let Some(scratch) = &scratch {
            let (facts, failed) = self.fill(scratch)?;
            audit.scratch = Some(facts);
            if let Some(error) = failed {
                audit.granting = error.lines().map(str::to_owned);
                audit.used = totals::used(&Usage::default(), &scratch.usage());
                return Ok(());
            }
        }
        let pages = Mutex::new(Usage::default());
        self.compare(audit, scratch.as_ref(), &pages)?;
        let worker =
            Worker::new(self.engine, &self.strategy, self.instances, &self.whole.log, scratch.clone());
        let mut metered = Metered { worker, usage: &pages };
        self.measure_and_repeat(audit, &mut metered)?;
        let refreshes = scratch.map_or_else(Usage::default, |scratch| scratch.usage());
        let pages = pages.into_inner().unwrap_or_else(PoisonError::into_inner);
        audit.used = totals::used(&pages, &refreshes);
        let denials = audit.used.denials.iter().map(|denial| (denial.rule.as_str(), denial.object.as_str()));
        audit.granting = lines::for_denials(&self.strategy.name, &self.strategy.grants, denials);
        Ok(())
    }

    /// Fills scratch from nothing, and says what that did; and the strategy's failure, if it failed.
    fn fill(&self, scratch: &Scratch) -> Result<(ScratchFacts, Option<Error>), Error> {
        let began = Instant::now();
        let outcome = scratch.refresh();
        let fill_ms = began.elapsed().as_secs_f64() * 1e3;
        let usage = scratch.usage();
        let failed = match outcome {
            Ok(()) => None,
            Err(error) if error.blames_strategy() => {
                Some(lines::of_refresh(error, &self.strategy.name, &self.strategy.grants))
            }
            Err(error) => return Err(error),
        };
        let statements = totals::statements(&usage);
        let mut tables: Vec<String> =
            statements.iter().flat_map(|statement| statement.tables.clone()).collect();
        tables.sort();
        tables.dedup();
        let facts = ScratchFacts {
            failed: failed.as_ref().map(|error| format!("{}: {error}", judge::code_of(error))),
            events: self.whole.profile.rows,
            fill_ms,
            bytes: scratch.bytes(),
            tables,
            vm_steps: usage.total.vm_steps,
            statements,
        };
        Ok((facts, failed))
    }

    /// The subject's or the reference's scratch, under a folder of that name; filled by its first use.
    fn scratch(
        &self,
        strategy: &Arc<Strategy>,
        log: &Log,
        name: &str,
    ) -> Result<Option<Arc<Scratch>>, Error> {
        if !strategy.is_indexed() {
            return Ok(None);
        }
        let cache = self.cache.join(name);
        std::fs::create_dir_all(&cache).map_err(|source| Error::io(&cache, source))?;
        Ok(Some(Scratch::new(self.engine, strategy, log, &cache, None)))
    }

    /// Streams and walks side by side, each with workers of their own.
    fn compare(
        &self,
        audit: &mut Audit,
        scratch: Option<&Arc<Scratch>>,
        usage: &Mutex<Usage>,
    ) -> Result<(), Error> {
        let profile = &self.whole.profile;
        let streams = [
            streams::contract(profile, self.seed, self.requests),
            streams::dense(profile, self.seed, self.requests),
            streams::edges(profile, self.seed, self.requests),
        ];
        let mut walks = walks(profile);
        walks.truncate(1);
        let reference = self.scratch(&self.reference, &self.whole.log, "reference")?;
        if let Some(reference) = &reference {
            reference.ensure_filled()?;
        }
        let all: usize = streams.iter().map(|stream| stream.requests.len()).sum();
        let done = AtomicU64::new(0);
        let progress = || (self.progress)(done.fetch_add(1, Relaxed) + 1, all as u64);
        let until = Instant::now() + self.comparing;
        let worker = |strategy: &Arc<Strategy>, scratch: Option<&Arc<Scratch>>| {
            Worker::new(self.engine, strategy, self.instances, &self.whole.log, scratch.cloned())
        };
        let side = |walking: bool| {
            let mut subject = Metered { worker: worker(&self.strategy, scratch), usage };
            let mut trusted = worker(&self.reference, reference.as_ref());
            let sides = Sides { subject: &mut subject, reference: &mut trusted };
            let quiet = || ();
            let progress: &dyn Fn() = if walking { &quiet } else { &progress };
            let mut comparison = Comparison { sides, names: self.names, until, progress };
            if walking { comparison.walks(&walks) } else { comparison.streams(&streams) }
        };
        let (streamed, walked) = std::thread::scope(|scope| {
            let walked = scope.spawn(|| side(true));
            (side(false), walked.join())
        });
        let walked = walked.map_err(|_| Error::Engine("a thread of the audit panicked".to_owned()))?;
        let ((mut facts, events), (more, more_events)) = (streamed?, walked?);
        facts.extend(more);
        audit.correctness = Some(correctness(facts, events + more_events));
        Ok(())
    }

    /// Cost and determinism come from the same trials: on the whole log in two processes, or three with
    /// an index, and on its first half in one.
    fn measure_and_repeat(&self, audit: &mut Audit, worker: &mut Metered<'_>) -> Result<(), Error> {
        let (whole, half) = (&self.whole, &self.half);
        let points = points(&whole.profile, half.profile.rows);
        let measured: Vec<PageRequest> = points.iter().map(|point| point.request.clone()).collect();
        let mut requests = measured.clone();
        requests.extend(self.repeated());
        let seconds = self.comparing.as_secs_f64() * TRIAL_SHARE;
        let job = |requests: &[PageRequest], passes: &[Pass]| Job::new(requests, passes, seconds);
        let all = job(&requests, &[Pass::Fresh, Pass::Again, Pass::Warm])?;
        let fresh = job(&requests, &[Pass::Fresh])?;
        let small = job(&measured, &[Pass::Fresh])?;
        let (one, two) = (self.cache.join("one"), self.cache.join("two"));
        let run = |place: &Place, cache: &Path, job: &Job| (self.trial)(&place.folder, cache, job);
        let indexed = self.strategy.is_indexed();
        // Two at a time: as many as the comparison used before.
        let ((first, other), (refilled, smaller)) = std::thread::scope(|scope| {
            let beside = scope.spawn(|| {
                let refilled = indexed.then(|| run(whole, &two, &fresh)).transpose();
                (refilled, run(half, &two, &small))
            });
            let first = run(whole, &one, &all);
            let other = run(whole, &one, &fresh);
            let beside = beside.join().unwrap_or_else(|_| {
                let panicked = || Error::Engine("a thread of the audit panicked".to_owned());
                (Err(panicked()), Err(panicked()))
            });
            ((first, other), beside)
        });
        let (first, other, refilled, smaller) = (first?, other?, refilled?, smaller?);
        let trials = Trials { first: &first, other: &other, refilled: refilled.as_deref() };
        audit.determinism = Some(determinism(&trials)).filter(|facts: &Determinism| facts.requests > 0);
        audit.cost = self.costs(&points, &first, &smaller, worker)?;
        Ok(())
    }

    fn costs(
        &self,
        points: &[Point],
        whole: &[Answer],
        half: &[Answer],
        worker: &mut Metered<'_>,
    ) -> Result<Vec<Cost>, Error> {
        let scratch = self.scratch(&self.strategy, &self.half.log, "half")?;
        let mut small = Worker::new(self.engine, &self.strategy, self.instances, &self.half.log, scratch);
        let mut costs = measure("half", self.half.profile.rows, points, half, &mut small)?;
        costs.extend(measure("whole", self.whole.profile.rows, points, whole, worker)?);
        Ok(costs)
    }

    /// Some of each stream, bounded, so that a log that grows does not change the answers.
    fn repeated(&self) -> Vec<PageRequest> {
        let profile = &self.whole.profile;
        let streams = [
            streams::contract(profile, self.seed, REPEATED),
            streams::dense(profile, self.seed, REPEATED),
            streams::edges(profile, self.seed, REPEATED),
        ];
        let requests = streams.into_iter().flat_map(|stream| stream.requests);
        requests
            .map(|request| PageRequest { up_to: request.up_to.or(Some(profile.high_water)), ..request })
            .collect()
    }
}

/// A worker whose every request goes into the sum.
struct Metered<'a> {
    worker: Worker,
    usage: &'a Mutex<Usage>,
}

impl Pager for Metered<'_> {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        let outcome = self.worker.page(request);
        let shown = outcome.as_ref().map_or(0, |page| page.len() as u64);
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = self.worker.ledger().is_some_and(|ledger| {
            ledger.statements().any(|statement| statement.plan.is_empty() && !usage.has_plan(&statement.sql))
        });
        if is_new {
            self.worker.explained();
        }
        if let Some(ledger) = self.worker.ledger() {
            // A page that failed shows nothing, but it may have been about to.
            let shown = if outcome.is_ok() { shown } else { ledger.payload_reads };
            usage.add(ledger, shown);
        }
        outcome
    }
}

/// The limits in effect, by name.
pub fn limits(strategy: &Strategy) -> BTreeMap<String, u64> {
    strategy.grants.limits.named().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Judges what was seen, and says what was not.
pub fn conclude(audit: &mut Audit) {
    judge::judge(audit);
    audit.unseen = unseen::unseen(audit);
}

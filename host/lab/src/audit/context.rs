//! What an audit runs on, and what it runs there: fill, compare, repeat in child runs, measure.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::child_run::{ChildRun, ChildRuns, Pass};
use super::compare::TimedComparison;
use super::cost::{Point, measure};
use super::facts::{Correctness, Cost, ScratchFacts};
use super::{Options, Program, judge, used};
use keyhole_log::Log;
use keyhole_log::dataset::copy::copy;
use keyhole_log::dataset::generator;
use keyhole_log::error::Error;
use keyhole_log::model::{Page, PageRequest, Pager};
use keyhole_log::survey::profile::Profile;
use keyhole_log::temporary::TemporaryFolder;
use keyhole_log::usage::Usage;
use keyhole_proof::streams::{self, Stream};
use keyhole_proof::verify::sides::Sides;
use keyhole_proof::verify::{Names, walks};
use keyhole_runtime::engine::Engine;
use keyhole_runtime::page::Worker;
use keyhole_runtime::policy::lines;
use keyhole_runtime::scratch::Scratch;
use keyhole_runtime::strategy::Strategy;

/// Most events of the copy that stands for half of the log.
const HALF: u64 = 100_000;

/// How long a child run may take, for each second that the comparison may take.
const CHILD_RUN_SHARE: f64 = 0.32;

/// Requests of each stream that child runs repeat, beside the measured ones.
const REPEATED: usize = 12;

/// A log that strategies are run on, and what is known of it.
pub(super) struct AuditedLog {
    folder: PathBuf,
    pub(super) log: Log,
    pub(super) profile: Profile,
}

impl AuditedLog {
    fn open(folder: &Path) -> Result<Self, Error> {
        let log = Log::open(folder)?;
        let profile = Profile::of(&log, generator::now_of)?;
        Ok(Self { folder: folder.to_owned(), log, profile })
    }
}

/// Everything that an audit runs on.
pub(super) struct AuditContext<'a> {
    options: &'a Options<'a>,
    engine: &'a Engine,
    progress: &'a (dyn Fn(u64, u64) + Sync),
    /// The strategy that is audited.
    pub(super) strategy: Arc<Strategy>,
    /// The strategy that it must equal.
    reference: Arc<Strategy>,
    /// The log.
    pub(super) whole: AuditedLog,
    /// A copy of its first half.
    pub(super) half: AuditedLog,
    /// Copies of log data, scratch included: the folder goes when the audit ends, on every way out.
    folder: TemporaryFolder,
}

impl<'a> AuditContext<'a> {
    /// Opens the log, copies the first half of it, and loads the reference.
    pub(super) fn prepare(
        options: &'a Options<'a>,
        program: &'a Program<'a>,
        strategy: Arc<Strategy>,
    ) -> Result<Self, Error> {
        let whole = AuditedLog::open(options.data)?;
        let failed = |source| Error::io(options.cache, source);
        DirBuilder::new().recursive(true).mode(0o700).create(options.cache).map_err(failed)?;
        let folder = TemporaryFolder::new_in(options.cache, "audit")?;
        let half = folder.path().join("half-log");
        DirBuilder::new().mode(0o700).create(&half).map_err(failed)?;
        copy(&whole.log, &half, (whole.profile.rows / 2).min(HALF))?;
        let half = AuditedLog::open(&half)?;
        let reference = (program.load)(options.reference)?;
        let Program { engine, progress, .. } = *program;
        Ok(Self { options, engine, progress, strategy, reference, whole, half, folder })
    }

    /// The subject's or the reference's scratch, under a folder of that name; filled by its first use.
    pub(super) fn scratch(
        &self,
        strategy: &Arc<Strategy>,
        log: &Log,
        name: &str,
    ) -> Result<Option<Arc<Scratch>>, Error> {
        if !strategy.is_indexed() {
            return Ok(None);
        }
        let cache = self.folder.path().join(name);
        std::fs::create_dir_all(&cache).map_err(|source| Error::io(&cache, source))?;
        Ok(Some(Scratch::new(self.engine, strategy, log, &cache, None)))
    }

    /// Fills scratch from nothing, and says what that did; and the strategy's failure, if it failed.
    pub(super) fn fill(&self, scratch: &Scratch) -> Result<(ScratchFacts, Option<Error>), Error> {
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
        let facts = ScratchFacts {
            failed: failed.as_ref().map(|error| format!("{}: {error}", judge::code_of(&error.observed()))),
            events: self.whole.profile.rows,
            fill_ms,
            bytes: scratch.bytes(),
            tables: used::tables(&usage),
            vm_steps: usage.total.vm_steps,
            statements: used::costliest_first(&usage),
        };
        Ok((facts, failed))
    }

    /// Streams and walks side by side, each with workers of their own; what the subject did goes into
    /// `usage`.
    pub(super) fn compare(
        &self,
        scratch: Option<&Arc<Scratch>>,
        usage: &Mutex<Usage>,
    ) -> Result<Correctness, Error> {
        let streams = self.streams(self.options.requests);
        let mut walks = walks(&self.whole.profile);
        walks.truncate(1);
        let reference = self.scratch(&self.reference, &self.whole.log, "reference")?;
        if let Some(reference) = &reference {
            reference.ensure_filled()?;
        }
        let all: usize = streams.iter().map(|stream| stream.requests.len()).sum();
        let done = AtomicU64::new(0);
        let quiet = || ();
        let progress = || (self.progress)(done.fetch_add(1, Relaxed) + 1, all as u64);
        let until = Instant::now() + self.options.comparing;
        let options = ["--data".to_owned(), self.options.data.display().to_string()];
        let names =
            Names { subject: self.options.name(), reference: self.options.reference, options: &options };
        let side = |walking: bool| {
            let mut subject = self.metered(scratch, usage);
            let mut trusted = self.worker(&self.reference, &self.whole.log, reference.as_ref());
            let sides = Sides { subject: &mut subject, reference: &mut trusted };
            let progress: &dyn Fn() = if walking { &quiet } else { &progress };
            let mut comparison = TimedComparison { sides, names, until, progress };
            if walking { comparison.walks(&walks) } else { comparison.streams(&streams) }
        };
        let (streamed, walked) = std::thread::scope(|scope| {
            let walked = scope.spawn(|| side(true));
            (side(false), walked.join().unwrap_or_else(|_| Err(panicked())))
        });
        let mut facts = streamed?;
        facts.extend(walked?);
        Ok(Correctness::of(facts))
    }

    /// Cost and determinism come from the same child runs: on the whole log two, or three with an index,
    /// and on its first half one.
    pub(super) fn child_runs(&self, points: &[Point]) -> Result<ChildRuns, Error> {
        let measured: Vec<PageRequest> = points.iter().map(|point| point.request.clone()).collect();
        let mut requests = measured.clone();
        requests.extend(self.repeated());
        let seconds = self.options.comparing.as_secs_f64() * CHILD_RUN_SHARE;
        let all = ChildRun::new(&requests, &[Pass::Fresh, Pass::Again, Pass::Warm], seconds)?;
        let fresh = ChildRun::new(&requests, &[Pass::Fresh], seconds)?;
        let small = ChildRun::new(&measured, &[Pass::Fresh], seconds)?;
        let start = |on: &AuditedLog, scratch: &str, run: &ChildRun| {
            run.start(self.options, &on.folder, &self.folder.path().join(scratch))
        };
        let indexed = self.strategy.is_indexed();
        // Two at a time: as many as the comparison used before.
        std::thread::scope(|scope| {
            let beside = scope.spawn(|| {
                let refilled = indexed.then(|| start(&self.whole, "two", &fresh)).transpose()?;
                Ok::<_, Error>((refilled, start(&self.half, "two", &small)?))
            });
            let first = start(&self.whole, "one", &all)?;
            let other = start(&self.whole, "one", &fresh)?;
            let (refilled, half) = beside.join().unwrap_or_else(|_| Err(panicked()))?;
            Ok(ChildRuns { first, other, refilled, half })
        })
    }

    /// What each point costs on half the log and on the whole: exact figures from child runs, times from
    /// workers that count no fuel.
    pub(super) fn costs(
        &self,
        points: &[Point],
        runs: &ChildRuns,
        scratch: Option<&Arc<Scratch>>,
        usage: &Mutex<Usage>,
    ) -> Result<Vec<Cost>, Error> {
        let small = self.scratch(&self.strategy, &self.half.log, "half")?;
        let mut small = self.worker(&self.strategy, &self.half.log, small.as_ref());
        let mut costs = measure("half", self.half.profile.rows, points, &runs.half, &mut small)?;
        let mut worker = self.metered(scratch, usage);
        costs.extend(measure("whole", self.whole.profile.rows, points, &runs.first, &mut worker)?);
        Ok(costs)
    }

    /// Some of each stream, bounded, so that a log that grows does not change the answers.
    fn repeated(&self) -> impl Iterator<Item = PageRequest> {
        let high_water = self.whole.profile.high_water;
        let requests = self.streams(REPEATED).into_iter().flat_map(|stream| stream.requests);
        requests.map(move |request| PageRequest { up_to: request.up_to.or(Some(high_water)), ..request })
    }

    fn streams(&self, requests: usize) -> [Stream; 3] {
        let (profile, seed) = (&self.whole.profile, self.options.seed);
        [streams::contract, streams::dense, streams::edges].map(|stream| stream(profile, seed, requests))
    }

    fn worker(&self, strategy: &Arc<Strategy>, log: &Log, scratch: Option<&Arc<Scratch>>) -> Worker {
        Worker::new(self.engine, strategy, self.options.instances, log, scratch.cloned()).for_comparison()
    }

    fn metered<'u>(&self, scratch: Option<&Arc<Scratch>>, usage: &'u Mutex<Usage>) -> Metered<'u> {
        Metered { worker: self.worker(&self.strategy, &self.whole.log, scratch), usage }
    }
}

fn panicked() -> Error {
    Error::Engine("a thread of the audit panicked".to_owned())
}

/// A worker whose every request goes into the sum.
struct Metered<'a> {
    worker: Worker,
    usage: &'a Mutex<Usage>,
}

impl Pager for Metered<'_> {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        let outcome = self.worker.page(request);
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = self.worker.ledger().is_some_and(|ledger| {
            ledger.statements().any(|statement| statement.plan.is_empty() && !usage.has_plan(&statement.sql))
        });
        if is_new {
            self.worker.explained();
        }
        if let Some(ledger) = self.worker.ledger() {
            // A page that failed shows nothing, but it may have been about to.
            usage.add(ledger, outcome.as_ref().map_or(ledger.payload_reads, |page| page.len() as u64));
        }
        outcome
    }
}

//! The benchmark: strategies side by side on the same requests.
//!
//! **Method.** Every target answers the same requests. A mix is cut into batches, and for each batch all
//! targets run one after another, the order rotating from round to round: what the machine does meanwhile
//! (heat, neighbours, page cache) falls on all of them alike. The mixes of a sweep are interleaved in the
//! same way. What differs is told with its interval of confidence over the rounds (`interval.rs`).
//!
//! **Load.** A closed loop: C requests are in flight on W workers, and a request that is answered puts the
//! next one in, so that C − W always wait. Or an open loop: requests are due at a fixed rate, and their
//! latency counts from the moment at which they were due, so that a stall is not hidden (`arrivals.rs`).
//!
//! **Phases.** Service time runs from a worker taking a request to its page rendered to bytes;
//! time in queue from the request's entry to that moment; latency, what a client sees, is both.
//! Percentiles are of service time unless another is named. Compiling, opening and warming up
//! happen before the clock runs. Where a page's time goes is told phase by phase (`phases.rs`).
//!
//! **Correctness.** A digest of the ids of every measured page is kept, outside the timed span, and
//! must be the same for all targets: a benchmark of wrong answers does not finish.

mod arrivals;
mod batch;
mod clock;
mod environment;
mod export;
#[cfg(test)]
mod fakes;
mod histogram;
mod interval;
mod mixes;
mod phases;
mod plan;
mod ratio;
mod report;
mod run;
mod target;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use keyhole_log::Log;
use keyhole_log::dataset::generator;
use keyhole_log::error::Error;
use keyhole_log::grants::Instances;
use keyhole_log::model::Page;
use keyhole_log::survey::census::Census;
use keyhole_log::survey::profile::Profile;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::page::{Cursors, render};
use keyhole_runtime::registry::BUILT_IN;
use keyhole_runtime::scratch::Scratch;
use keyhole_runtime::strategy::Strategy;

pub use environment::{Conditions, LogFacts, Machine};
pub use export::{INTERVALS, KeptFile, OF_A_MIX, PERCENTILES, REPORT};
pub use phases::{PHASES, PhaseTimes};
pub use plan::{Axis, Load, Point};
pub use ratio::{Ratio, Step, SweepResult, is_twin};
pub use report::{MixResult, Report, Settings, StrategyResult};
pub use target::Kind;

use clock::SystemClock;
use plan::Plan;
use target::Candidate;

/// What is to be measured, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folders of the logs. Of several logs each mix becomes a sweep over their sizes; other sweeps are of
    /// the first log.
    pub logs: Vec<PathBuf>,
    /// Names of strategies, and of floors: a page's least work done alone. `NAME-warm` is the strategy with
    /// warm instances.
    pub strategies: Vec<String>,
    /// How a strategy's instances live where neither its name nor its grants say it.
    pub instances: Instances,
    /// Names of mixes: `contract`, `dense`, `dense-50`.
    pub mixes: Vec<String>,
    /// What is varied; nothing where the mixes are measured for themselves.
    pub sweeps: Vec<Axis>,
    /// Requests of each mix, and at each point of a sweep.
    pub requests: usize,
    /// What they are drawn with.
    pub seed: u64,
    /// Requests that each target answers before each mix, not counted.
    pub warmup: usize,
    /// Requests in flight.
    pub concurrency: usize,
    /// Workers that answer them; None for as many as there are cores, and as there are requests in flight.
    pub workers: Option<usize>,
    /// Requests per second, for an open loop.
    pub rate: Option<f64>,
    /// Into how many batches a mix is cut.
    pub rounds: usize,
    /// Whether every round's times are kept for other tools.
    pub keep: bool,
}

impl Default for Options {
    /// Everything built in, on no log yet.
    fn default() -> Self {
        Self {
            logs: Vec::new(),
            strategies: BUILT_IN.map(str::to_owned).to_vec(),
            instances: Instances::default(),
            mixes: ["contract", "dense"].map(str::to_owned).to_vec(),
            sweeps: Vec::new(),
            requests: 2_000,
            seed: generator::SEED,
            warmup: 100,
            concurrency: 4,
            workers: None,
            rate: None,
            rounds: 10,
            keep: false,
        }
    }
}

/// A strategy's scratch, filled; none for a strategy that has no index.
pub type Filled = Result<Option<Arc<Scratch>>, Error>;

/// What a benchmark needs of the program that runs it.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// The process's engine.
    pub engine: &'a Engine,
    /// A strategy by name.
    pub strategy: &'a dyn Fn(&str) -> Result<Arc<Strategy>, Error>,
    /// A strategy's scratch for a log, filled; none for a strategy that has no index.
    pub scratch: &'a dyn Fn(&Arc<Strategy>, &Log) -> Filled,
    /// The cursors of a log.
    pub cursors: &'a dyn Fn(&Log) -> Result<Cursors, Error>,
    /// Hears how many requests are answered, and of how many.
    pub progress: &'a dyn Fn(u64, u64),
    /// The program's version, its engine's and its database's.
    pub versions: &'a BTreeMap<String, String>,
}

/// What a benchmark found.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The figures.
    pub report: Report,
    /// Every round's times and the figures as files, where the options ask for them.
    pub kept: Vec<KeptFile>,
}

/// Plans and runs a benchmark. Ctrl-C ends it.
pub fn run(options: &Options, host: &Host<'_>) -> Result<Measured, Error> {
    let logs = options.logs.iter().map(|folder| Log::open(folder)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = logs.first() else { return Err(Error::bad_request("a benchmark needs a log")) };
    let census = options.sweeps.contains(&Axis::Filter).then(|| Census::of(first)).transpose()?;
    let profiles: Vec<Profile> =
        logs.iter().map(|log| Profile::of(log, generator::now_of)).collect::<Result<_, _>>()?;
    let candidates =
        options.strategies.iter().map(|name| Candidate::find(host, name)).collect::<Result<Vec<_>, _>>()?;
    let page_size = candidates.iter().filter_map(Candidate::page_size).min().unwrap_or(u32::MAX);
    let plan = Plan {
        mixes: mixes::mixes(options, &profiles, &census.unwrap_or_default(), page_size)?,
        logs: logs.len(),
        warmup: options.warmup,
        rounds: options.rounds,
    };
    let mut targets = candidates
        .iter()
        .map(|candidate| candidate.target(host, options.instances, &logs, &plan))
        .collect::<Result<Vec<_>, _>>()?;

    let machine = Machine::detect();
    let facts = environment::log_facts(&options.logs, &logs, &profiles)?;
    let mut conditions = Conditions::begin(&facts, machine.memory_bytes);
    let (origin, clock) = (SystemTime::now(), SystemClock::start());
    let cursors = (host.cursors)(first)?;
    let to_bytes = |page: &Page, out: &mut Vec<u8>| render::render(page, cursors.next(page).as_deref(), out);
    let all = plan.total(targets.len()) as u64;
    let runs = run::run(&plan, &mut targets, &to_bytes, &clock, &mut |done| {
        (host.progress)(done, all);
        keyhole_log::interrupt::check()
    })?;
    conditions.end();

    let program = std::fs::read("/proc/self/exe").ok().map(|bytes| keyhole_log::hash::sha256(&bytes));
    let report = Report {
        mixes: runs.iter().map(MixResult::new).collect(),
        sweeps: ratio::sweeps(&runs),
        machine,
        conditions,
        versions: host.versions.clone(),
        digests: report::digests(&targets, program),
        logs: facts,
        settings: Settings { rounds: plan.rounds, warmup: plan.warmup, seed: options.seed },
    };
    let kept = if options.keep { export::export(&runs, &report, origin)? } else { Vec::new() };
    Ok(Measured { report, kept })
}

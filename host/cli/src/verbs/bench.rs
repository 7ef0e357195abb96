//! `bench`: measures strategies side by side on the same requests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::bench::floor::{self, ReadsFloor, SnapshotFloor, SpansOf};
use crate::bench::{
    self, Asked, Axis, BenchResult, Conditions, Contender, Context, Kind, LogFacts, Machine, MixRun, Plan,
    SystemClock, Wish,
};
use crate::cli::BenchArgs;
use crate::commands::progress::Bar;
use crate::commands::{Setup, version};
use crate::error::Error;
use crate::log::Log;
use crate::log::census::Census;
use crate::page::{Page, Pager, render};
use crate::registry;
use crate::strategy::{Instances, Strategy, Worker};

/// Who is asked where a page's payloads lie, for the floor that only reads them.
const TRUSTED: &str = "native-keyset";

/// Runs the verb.
pub fn run(setup: &Setup, args: &BenchArgs) -> Result<u8, Error> {
    let log = setup.log()?;
    let result = measure(setup, args, &log)?;
    let mut output = setup.output()?;
    if setup.common.json {
        output.json(&result)?;
        if setup.common.out.is_some() {
            // The figures went to a file: whoever waits for them sees them too.
            setup.remark(&bench::render(&result));
        }
    } else {
        output.write(bench::render(&result).as_bytes())?;
    }
    output.flush()?;
    Ok(0)
}

/// Plans and runs the benchmark.
pub fn measure(setup: &Setup, args: &BenchArgs, log: &Log) -> Result<BenchResult, Error> {
    let mut logs = vec![log.clone()];
    for folder in &args.beside {
        logs.push(Log::open(folder)?);
    }
    let asked = logs.iter().map(|log| ask(setup, args, log)).collect::<Result<Vec<_>, _>>()?;
    let names = if args.strategies.is_empty() {
        registry::BUILT_IN.map(str::to_owned).to_vec()
    } else {
        args.strategies.clone()
    };
    let sides = names.iter().map(|name| Side::find(setup, name)).collect::<Result<Vec<_>, _>>()?;
    let granted = sides.iter().filter_map(|side| side.strategy.as_ref());
    let wish = Wish {
        mixes: args.mix.clone(),
        sweeps: args.sweep.clone(),
        requests: args.requests,
        seed: args.seed,
        concurrency: args.concurrency,
        rate: args.rate,
        page_size: granted.map(|strategy| strategy.grants.limits.page_size).min().unwrap_or(u32::MAX),
    };
    let plan = Plan {
        mixes: bench::mixes(&asked, &wish)?,
        logs: logs.len(),
        warmup: args.warmup,
        rounds: args.rounds,
    };
    let mut contenders =
        sides.iter().map(|side| side.contender(setup, &logs, &plan)).collect::<Result<Vec<_>, _>>()?;

    let machine = Machine::detect();
    let facts = std::iter::once(&setup.common.data)
        .chain(&args.beside)
        .zip(logs.iter().zip(&asked))
        .map(|(folder, (log, asked))| log_facts(folder, log, asked))
        .collect::<Result<Vec<_>, _>>()?;
    let mut conditions = Conditions::begin(&facts, machine.memory_bytes);
    let (origin, clock) = (SystemTime::now(), SystemClock::start());
    let runs = run_plan(setup, log, &plan, &mut contenders, &clock)?;
    conditions.end();
    let context = Context {
        machine,
        conditions,
        versions: version::versions(),
        program: std::fs::read("/proc/self/exe").ok().map(|bytes| crate::sha256(&bytes)),
        logs: facts,
        seed: args.seed,
    };
    let result = BenchResult::new(&plan, &contenders, &runs, context);
    if let Some(folder) = &args.keep {
        bench::keep(folder, &runs, origin)?;
        let path = folder.join("bench.json");
        let text = serde_json::to_vec_pretty(&result).map_err(|error| Error::Engine(error.to_string()))?;
        std::fs::write(&path, text).map_err(|source| Error::io(&path, source))?;
    }
    Ok(result)
}

fn ask(setup: &Setup, args: &BenchArgs, log: &Log) -> Result<Asked, Error> {
    let census = if args.sweep.contains(&Axis::Filter) { Some(Census::of(log)?) } else { None };
    Ok(Asked { profile: setup.profile(log)?, census })
}

fn log_facts(folder: &Path, log: &Log, asked: &Asked) -> Result<LogFacts, Error> {
    let size = |path: &PathBuf| {
        std::fs::metadata(path).map(|metadata| metadata.len()).map_err(|source| Error::io(path, source))
    };
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    Ok(LogFacts {
        name: whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        rows: asked.profile.rows,
        high_water: asked.profile.high_water,
        database_bytes: size(&log.database)?,
        payload_bytes: size(&log.payloads)?,
    })
}

fn run_plan(
    setup: &Setup,
    log: &Log,
    plan: &Plan,
    contenders: &mut [Contender],
    clock: &SystemClock,
) -> Result<Vec<MixRun>, Error> {
    let cursors = setup.cursors(log)?;
    let to_bytes = |page: &Page, out: &mut Vec<u8>| render::render(page, cursors.next(page).as_deref(), out);
    let bar = Bar::new(&setup.common, "measuring");
    let all = plan.total(contenders.len()) as u64;
    let runs = bench::run(plan, contenders, &to_bytes, clock, &mut |done| {
        bar.at(done, all);
        crate::interrupt::check()
    })?;
    Ok(runs)
}

/// Who is to be measured: a strategy, or a floor, which has none.
struct Side<'a> {
    name: &'a str,
    strategy: Option<Arc<Strategy>>,
    warm: bool,
}

impl<'a> Side<'a> {
    /// `NAME-warm` is the strategy with warm instances.
    fn find(setup: &Setup, name: &'a str) -> Result<Self, Error> {
        if floor::is_floor(name) {
            return Ok(Self { name, strategy: None, warm: false });
        }
        let base = name.strip_suffix("-warm");
        let strategy = setup.strategy(base.unwrap_or(name))?;
        Ok(Self { name, strategy: Some(strategy), warm: base.is_some() })
    }

    /// With a crew for each log.
    fn contender(&self, setup: &Setup, logs: &[Log], plan: &Plan) -> Result<Contender, Error> {
        let Some(strategy) = &self.strategy else { return floor_contender(setup, self.name, logs, plan) };
        let instances = if self.warm { Instances::Warm(Instances::USES) } else { setup.common.instances };
        let instances = strategy.grants.instances.unwrap_or(instances);
        let crew = |log: &Log| -> Result<Vec<Box<dyn Pager>>, Error> {
            let scratch = setup.scratch(strategy, log)?;
            let worker = || Worker::new(&setup.engine, strategy, instances, log, scratch.clone());
            Ok((0..plan.workers()).map(|_| Box::new(worker()) as Box<dyn Pager>).collect())
        };
        let sandboxed = strategy.is_sandboxed();
        Ok(Contender {
            strategy: self.name.to_owned(),
            kind: if sandboxed { Kind::Wasm } else { Kind::Native },
            instances: if sandboxed { instances.to_string() } else { "none".to_owned() },
            digest: strategy.digest.clone(),
            crews: logs.iter().map(crew).collect::<Result<_, _>>()?,
        })
    }
}

fn floor_contender(setup: &Setup, name: &str, logs: &[Log], plan: &Plan) -> Result<Contender, Error> {
    let mut crews = Vec::with_capacity(logs.len());
    for (at, log) in logs.iter().enumerate() {
        let spans = if name == floor::READS { spans(setup, log, at, plan)? } else { Arc::default() };
        let pager = || -> Result<Box<dyn Pager>, Error> {
            Ok(match name {
                floor::READS => Box::new(ReadsFloor::open(log, Arc::clone(&spans))?),
                _ => Box::new(SnapshotFloor::open(log)?),
            })
        };
        crews.push((0..plan.workers()).map(|_| pager()).collect::<Result<_, _>>()?);
    }
    Ok(Contender {
        strategy: name.to_owned(),
        kind: Kind::Floor,
        instances: "none".to_owned(),
        digest: String::new(),
        crews,
    })
}

fn spans(setup: &Setup, log: &Log, at: usize, plan: &Plan) -> Result<Arc<SpansOf>, Error> {
    let mut trusted = setup.worker(&setup.strategy(TRUSTED)?, Instances::Fresh, log)?;
    let mixes = plan.mixes.iter().filter(|mix| mix.log == at);
    floor::spans_of(mixes.flat_map(|mix| &mix.requests), &mut trusted)
}

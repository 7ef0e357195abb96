//! `bench`: measures strategies side by side on the same requests.

use crate::bench::{self, BenchResult, Contender, Kind, Machine, Mix, MixRun, Plan, SystemClock};
use crate::cli::BenchArgs;
use crate::commands::progress::Bar;
use crate::commands::{Setup, version};
use crate::contract::streams;
use crate::error::Error;
use crate::log::Log;
use crate::page::{Page, Pager, render};
use crate::registry;
use crate::strategy::{Instances, Worker};

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
    let profile = setup.profile(log)?;
    let mut mixes = Vec::new();
    for name in &args.mix {
        let stream = match name.as_str() {
            "contract" => streams::contract(&profile, args.seed, args.requests),
            "dense" => streams::dense(&profile, args.seed, args.requests),
            other => {
                return Err(Error::bad_request(format!(
                    "there is no mix {other:?}: take contract, dense, or both"
                )));
            }
        };
        if stream.requests.is_empty() {
            return Err(Error::bad_request(format!(
                "the log is too small for the mix {name}: it has {} events",
                profile.rows
            )));
        }
        mixes.push(Mix { name: stream.name.to_owned(), requests: stream.requests });
    }
    let plan = Plan {
        mixes,
        warmup: args.warmup,
        rounds: args.rounds,
        concurrency: args.concurrency,
        workers: bench::workers_for(args.concurrency),
    };
    let names = if args.strategies.is_empty() {
        registry::BUILT_IN.map(str::to_owned).to_vec()
    } else {
        args.strategies.clone()
    };
    let mut contenders =
        names.iter().map(|name| contender(setup, name, log, plan.workers)).collect::<Result<Vec<_>, _>>()?;
    let runs = run_plan(setup, log, &plan, &mut contenders)?;
    Ok(BenchResult::new(&plan, &runs, Machine::detect(), version::versions()))
}

fn run_plan(
    setup: &Setup,
    log: &Log,
    plan: &Plan,
    contenders: &mut [Contender],
) -> Result<Vec<MixRun>, Error> {
    let cursors = setup.cursors(log)?;
    let to_bytes = |page: &Page, out: &mut Vec<u8>| render::render(page, cursors.next(page).as_deref(), out);
    let bar = Bar::new(&setup.common, "measuring");
    let all = plan.total(contenders.len()) as u64;
    let runs = bench::run(plan, contenders, &to_bytes, &SystemClock::start(), &mut |done| {
        bar.at(done, all);
        crate::interrupt::check()
    })?;
    Ok(runs)
}

/// A strategy with a worker for each of the plan's. `NAME-warm` is the strategy with warm instances.
fn contender(setup: &Setup, name: &str, log: &Log, workers: usize) -> Result<Contender, Error> {
    let (base, instances) = match name.strip_suffix("-warm") {
        Some(base) => (base, Instances::Warm(Instances::USES)),
        None => (name, setup.common.instances),
    };
    let strategy = setup.strategy(base)?;
    let instances = strategy.grants.instances.unwrap_or(instances);
    let scratch = setup.scratch(&strategy, log)?;
    let sandboxed = strategy.is_sandboxed();
    let pagers = (0..workers)
        .map(|_| {
            Box::new(Worker::new(&setup.engine, &strategy, instances, log, scratch.clone())) as Box<dyn Pager>
        })
        .collect();
    Ok(Contender {
        strategy: name.to_owned(),
        kind: if sandboxed { Kind::Wasm } else { Kind::Native },
        instances: if sandboxed { instances.to_string() } else { "none".to_owned() },
        pagers,
    })
}

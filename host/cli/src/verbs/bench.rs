//! `bench`: measures strategies side by side on the same requests.

use std::cell::OnceCell;
use std::path::PathBuf;

use crate::args::at_least_one;
use crate::report::views::bench::{WIDEST, tables};
use crate::report::{screen, text};
use crate::verbs::output::Output;
use crate::verbs::progress::Progress;
use crate::verbs::{Setup, version};
use keyhole_lab::bench::{self, Axis, Host, Measured, Options, Report};
use keyhole_log::dataset::generator;
use keyhole_log::error::Error;

/// Options of `bench`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Strategies; a built-in name may end in -warm. All four built in, if none is named. Besides, for
    /// comparison, a page's least work done alone: floor-snapshot, floor-reads.
    pub strategies: Vec<String>,
    /// Which requests: contract, dense (full pages of 10, 20 and 50), dense-N (of N), or several.
    #[arg(long, value_delimiter = ',', default_values = ["contract", "dense"], value_name = "MIX")]
    pub mix: Vec<String>,
    /// Requests of each mix, and at each point of a sweep.
    #[arg(long, default_value_t = 2000, value_parser = at_least_one, value_name = "N")]
    pub requests: usize,
    /// Requests before the measured ones.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub warmup: usize,
    /// Requests in flight.
    #[arg(long, default_value_t = 4, value_parser = at_least_one, value_name = "C")]
    pub concurrency: usize,
    /// Workers that answer them [default: as many as there are cores, and at most C].
    #[arg(long, value_parser = at_least_one, value_name = "N")]
    pub workers: Option<usize>,
    /// Send R requests a second whether or not earlier ones are answered; latency counts from the moment
    /// at which a request was due.
    #[arg(long, value_name = "R")]
    pub rate: Option<f64>,
    /// Vary one thing, all points interleaved. The sweeps over workers and concurrency take the mixes,
    /// the others make their own requests.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "AXIS", conflicts_with = "beside")]
    pub sweep: Vec<SweepAxis>,
    /// Measure the mixes on this log besides, interleaved with --data: a sweep over the log's size.
    #[arg(long, value_name = "DIR")]
    pub beside: Vec<PathBuf>,
    /// Interleaved rounds.
    #[arg(long, default_value_t = 10, value_parser = at_least_one, value_name = "N")]
    pub rounds: usize,
    /// The seed that the requests are drawn with.
    #[arg(long, default_value_t = generator::SEED, value_name = "S")]
    pub seed: u64,
    /// Keep every round's times there: .hlog and .hgrm files of `HdrHistogram`, and bench.json.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// What `--sweep` varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SweepAxis {
    /// Pages 1, 10, 100 and 1000 at one filter and size.
    Depth,
    /// Deep pages with no filter, of one actor, of one action, of both.
    Filter,
    /// 1, 2, 4… workers that serve the same requests in flight.
    Workers,
    /// 1 to 16 requests in flight.
    Concurrency,
    /// 1 to 500 events a page.
    PageSize,
}

impl From<SweepAxis> for Axis {
    fn from(axis: SweepAxis) -> Self {
        match axis {
            SweepAxis::Depth => Self::Depth,
            SweepAxis::Filter => Self::Filter,
            SweepAxis::Workers => Self::Workers,
            SweepAxis::Concurrency => Self::Concurrency,
            SweepAxis::PageSize => Self::PageSize,
        }
    }
}

/// Runs the verb.
pub fn run(setup: &Setup, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let Measured { report: measured, kept } = measure(setup, &options(setup, args))?;
    output.keep(&kept)?;
    if setup.common.json {
        output.json(&measured)?;
        if setup.common.out.is_some() {
            // The figures went to a file: whoever waits for them sees them too.
            setup.remark(&text(&tables(&measured), WIDEST, false));
        }
    } else {
        output.write(shown(setup, &measured).as_bytes())?;
    }
    output.flush()?;
    Ok(0)
}

fn options(setup: &Setup, args: &Args) -> Options {
    let defaults = Options::default();
    Options {
        logs: [&setup.common.data].into_iter().chain(&args.beside).cloned().collect(),
        strategies: if args.strategies.is_empty() { defaults.strategies } else { args.strategies.clone() },
        instances: setup.common.instances,
        mixes: args.mix.clone(),
        sweeps: args.sweep.iter().copied().map(Into::into).collect(),
        requests: args.requests,
        seed: args.seed,
        warmup: args.warmup,
        concurrency: args.concurrency,
        workers: args.workers,
        rate: args.rate,
        rounds: args.rounds,
        keep: args.keep.is_some(),
    }
}

/// Measures with this program's strategies, and says how far it is.
pub fn measure(setup: &Setup, options: &Options) -> Result<Measured, Error> {
    let bar = OnceCell::new();
    let host = Host {
        engine: &setup.engine,
        strategy: &|name| setup.strategy(name),
        scratch: &|strategy, log| setup.scratch(strategy, log),
        cursors: &|log| setup.cursors(log),
        progress: &|done, all| bar.get_or_init(|| Progress::new(&setup.common, "measuring")).at(done, all),
        versions: &version::versions(),
    };
    bench::run(options, &host)
}

/// The report as the place that the results go to can show it.
pub fn shown(setup: &Setup, report: &Report) -> String {
    let (width, colour) = screen();
    text(&tables(report), width.max(WIDEST), colour && setup.common.out.is_none())
}

//! The options of what measures and shows the measurements.

use std::path::PathBuf;

use clap::Args;

use super::at_least_one;
use crate::bench::Axis;
use crate::contract::dataset;

/// Options of `bench`.
#[derive(Args, Debug, Default)]
pub struct BenchArgs {
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
    /// Send R requests a second whether or not earlier ones are answered; latency counts from the moment
    /// at which a request was due.
    #[arg(long, value_name = "R")]
    pub rate: Option<f64>,
    /// Vary one thing, all points interleaved. The sweeps over workers and concurrency take the mixes,
    /// the others make their own requests.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "AXIS", conflicts_with = "beside")]
    pub sweep: Vec<Axis>,
    /// Measure the mixes on this log besides, interleaved with --data: a sweep over the log's size.
    #[arg(long, value_name = "DIR")]
    pub beside: Vec<PathBuf>,
    /// Interleaved rounds.
    #[arg(long, default_value_t = 10, value_parser = at_least_one, value_name = "N")]
    pub rounds: usize,
    /// The seed that the requests are drawn with.
    #[arg(long, default_value_t = dataset::SEED, value_name = "S")]
    pub seed: u64,
    /// Keep every round's times there: .hlog and .hgrm files of `HdrHistogram`, and bench.json.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Options of `report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Results of `bench --json`; several are also set against the first.
    #[arg(required = true, value_name = "BENCH.json")]
    pub results: Vec<PathBuf>,
}

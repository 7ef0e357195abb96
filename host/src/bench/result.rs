//! The result: what `bench --json` prints, and what a report is made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::plan::{Kind, Plan};
use super::ratio::{Ratio, ratios};
use super::run::{MixRun, Outcome, Round, float};

/// A whole benchmark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchResult {
    /// In the plan's order.
    pub mixes: Vec<MixResult>,
    /// Where it was measured.
    pub machine: Machine,
    /// What was measured: versions of Keyhole, of its engine and of its database, and digests.
    pub versions: BTreeMap<String, String>,
    /// How it was measured.
    pub settings: Settings,
}

/// How a benchmark was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Requests in flight.
    pub concurrency: usize,
    /// Workers that served them.
    pub workers: usize,
    /// Slices a mix, at most.
    pub rounds: usize,
    /// Requests answered before each mix, not counted.
    pub warmup: usize,
}

/// One mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixResult {
    /// Its name.
    pub mix: String,
    /// How many requests each strategy answered.
    pub requests: usize,
    /// How many of the pages held events.
    pub non_empty: u64,
    /// In the plan's order.
    pub results: Vec<StrategyResult>,
    /// Against the reference first, then the sandbox against its native twins.
    pub ratios: Vec<Ratio>,
}

/// One strategy on one mix. Times are in microseconds; where no other is named, of service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrategyResult {
    /// Unique in the mix.
    pub strategy: String,
    /// Sandboxed or not.
    pub kind: Kind,
    /// `fresh`, `warm:N`, or `none`.
    pub instances: String,
    /// Requests in flight.
    pub concurrency: usize,
    /// Requests measured.
    pub count: u64,
    /// Requests per second.
    pub rps: f64,
    /// Median.
    pub p50_us: f64,
    /// 90th percentile.
    pub p90_us: f64,
    /// 95th percentile.
    pub p95_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// Average.
    pub avg_us: f64,
    /// Median of what a client sees: time in queue and service.
    pub latency_p50_us: f64,
    /// 99th percentile of what a client sees.
    pub latency_p99_us: f64,
    /// Median of the time in queue.
    pub queue_p50_us: f64,
    /// 99th percentile of the time in queue.
    pub queue_p99_us: f64,
    /// Requests per second of each round.
    pub rps_rounds: Vec<f64>,
    /// Median of each round.
    pub p50_us_rounds: Vec<f64>,
}

impl BenchResult {
    /// Sums up what a run measured.
    pub fn new(plan: &Plan, runs: &[MixRun], machine: Machine, versions: BTreeMap<String, String>) -> Self {
        let settings = Settings {
            concurrency: plan.concurrency,
            workers: plan.workers,
            rounds: plan.rounds,
            warmup: plan.warmup,
        };
        Self { mixes: runs.iter().map(MixResult::new).collect(), machine, versions, settings }
    }
}

impl MixResult {
    fn new(run: &MixRun) -> Self {
        Self {
            mix: run.mix.clone(),
            requests: run.requests,
            non_empty: run.non_empty,
            results: run.outcomes.iter().map(StrategyResult::new).collect(),
            ratios: ratios(&run.outcomes),
        }
    }
}

impl StrategyResult {
    fn new(outcome: &Outcome) -> Self {
        let service = |quantile| micros(outcome.tally.service.value_at_quantile(quantile));
        let latency = |quantile| micros(outcome.tally.latency.value_at_quantile(quantile));
        let queue = |quantile| micros(outcome.tally.queue.value_at_quantile(quantile));
        Self {
            strategy: outcome.strategy.clone(),
            kind: outcome.kind,
            instances: outcome.instances.clone(),
            concurrency: outcome.concurrency,
            count: outcome.tally.service.len(),
            rps: outcome.rps(),
            p50_us: service(0.5),
            p90_us: service(0.9),
            p95_us: service(0.95),
            p99_us: service(0.99),
            avg_us: outcome.tally.service.mean() / 1_000.0,
            latency_p50_us: latency(0.5),
            latency_p99_us: latency(0.99),
            queue_p50_us: queue(0.5),
            queue_p99_us: queue(0.99),
            rps_rounds: outcome.rounds.iter().map(Round::rps).collect(),
            p50_us_rounds: outcome.rounds.iter().map(|round| micros(round.p50)).collect(),
        }
    }
}

fn micros(nanos: u64) -> f64 {
    float(nanos) / 1_000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::bench::fakes::{FakeClock, contender, plan};
    use crate::bench::run::run;

    fn measured() -> BenchResult {
        let clock = FakeClock::new();
        let plan = plan(4, 2, 1);
        let mut sides = [contender("baseline", &clock, 1, 2_000), contender("keyset", &clock, 1, 500)];
        let runs = run(&plan, &mut sides, &|_, _| (), &clock, &mut |_| Ok(())).unwrap();
        let machine = Machine {
            cpu: "CPU".into(),
            arch: "x86_64".into(),
            cores: 2,
            memory_bytes: 1_024,
            kernel: "linux 6".into(),
        };
        let versions = BTreeMap::from([("keyhole".into(), "0.1.0".into())]);
        BenchResult::new(&plan, &runs, machine, versions)
    }

    #[test]
    fn the_json_has_the_shape_that_readers_rely_on() {
        let expected = concat!(
            r#"{"mixes":[{"mix":"dense","requests":4,"non_empty":2,"results":["#,
            r#"{"strategy":"baseline","kind":"wasm","instances":"fresh","concurrency":2,"count":4,"#,
            r#""rps":500000.0,"p50_us":2.0,"p90_us":2.0,"p95_us":2.0,"p99_us":2.0,"avg_us":2.0,"#,
            r#""latency_p50_us":2.0,"latency_p99_us":4.001,"queue_p50_us":0.0,"queue_p99_us":2.0,"#,
            r#""rps_rounds":[500000.0,500000.0],"p50_us_rounds":[2.0,2.0]},"#,
            r#"{"strategy":"keyset","kind":"wasm","instances":"fresh","concurrency":2,"count":4,"#,
            r#""rps":2000000.0,"p50_us":0.5,"p90_us":0.5,"p95_us":0.5,"p99_us":0.5,"avg_us":0.5,"#,
            r#""latency_p50_us":0.5,"latency_p99_us":1.0,"queue_p50_us":0.0,"queue_p99_us":0.5,"#,
            r#""rps_rounds":[2000000.0,2000000.0],"p50_us_rounds":[0.5,0.5]}],"#,
            r#""ratios":[{"of":"keyset","to":"baseline","rps":4.0,"p50":0.25,"p95":0.25,"p99":0.25,"#,
            r#""rps_low":4.0,"rps_median":4.0,"rps_high":4.0,"#,
            r#""p50_low":0.25,"p50_median":0.25,"p50_high":0.25}]}],"#,
            r#""machine":{"cpu":"CPU","arch":"x86_64","cores":2,"memory_bytes":1024,"kernel":"linux 6"},"#,
            r#""versions":{"keyhole":"0.1.0"},"#,
            r#""settings":{"concurrency":2,"workers":1,"rounds":2,"warmup":0}}"#,
        );
        assert_eq!(serde_json::to_string(&measured()).unwrap(), expected);
    }

    #[test]
    fn a_saved_result_is_read_back_as_it_was() {
        let result = measured();
        let text = serde_json::to_string(&result).unwrap();
        assert_eq!(serde_json::from_str::<BenchResult>(&text).unwrap(), result);
    }
}

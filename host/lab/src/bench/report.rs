//! The report: plain figures, as `bench --json` prints them and as pages of HTML are made from them.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::environment::{Conditions, LogFacts, Machine};
use super::phases::PhaseTimes;
use super::plan::{Load, Point};
use super::ratio::{Ratio, SweepResult, ratios};
use super::run::{MixRun, Outcome, Round};
use super::target::{Kind, Target};
use keyhole_log::units::micros_of;

/// A whole benchmark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// In the plan's order.
    pub mixes: Vec<MixResult>,
    /// What changes along each sweep, in the plan's order.
    pub sweeps: Vec<SweepResult>,
    /// Where it was measured.
    pub machine: Machine,
    /// Under what conditions.
    pub conditions: Conditions,
    /// What was measured: versions of Keyhole, of its engine and of its database.
    pub versions: BTreeMap<String, String>,
    /// SHA-256 of the program and of each strategy.
    pub digests: BTreeMap<String, String>,
    /// What was asked.
    pub logs: Vec<LogFacts>,
    /// How it was measured.
    pub settings: Settings,
}

/// How a benchmark was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Batches a mix, at most.
    pub rounds: usize,
    /// Requests answered before each mix, not counted.
    pub warmup: usize,
    /// What the requests were drawn with.
    pub seed: u64,
}

/// One mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixResult {
    /// Its name.
    pub mix: String,
    /// How its requests came.
    pub load: Load,
    /// Where it stands in a sweep.
    pub point: Option<Point>,
    /// Which of the logs it asked, from 0.
    pub log: usize,
    /// How many requests each strategy answered.
    pub requests: usize,
    /// How many of the pages held events.
    pub non_empty: u64,
    /// In the plan's order.
    pub results: Vec<StrategyResult>,
    /// Against the reference first, then the sandbox against its native twins, then against the floors.
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
    /// A page's time in each phase, in microseconds.
    pub phases_us: PhaseTimes,
    /// Service time by percentile: the part of the requests, and the microseconds that it stays within.
    pub curve: Vec<[f64; 2]>,
    /// The same of what a client sees.
    pub latency_curve: Vec<[f64; 2]>,
}

/// SHA-256 of the program, where it can be read, and of each strategy.
pub(super) fn digests(targets: &[Target], program: Option<String>) -> BTreeMap<String, String> {
    let strategies = targets.iter().filter(|target| !target.digest.is_empty());
    let digests = strategies.map(|target| (target.strategy.clone(), target.digest.clone()));
    digests.chain(program.map(|digest| ("program".to_owned(), digest))).collect()
}

impl MixResult {
    pub(super) fn new(run: &MixRun<'_>) -> Self {
        // A floor answers nothing.
        let real = run.outcomes.iter().find(|outcome| outcome.kind != Kind::Floor);
        Self {
            mix: run.mix.name.clone(),
            load: run.mix.load,
            point: run.mix.point.clone(),
            log: run.mix.log,
            requests: run.mix.requests.len(),
            non_empty: real.map_or(0, |real| real.times.non_empty),
            results: run.outcomes.iter().map(StrategyResult::new).collect(),
            ratios: ratios(&run.outcomes),
        }
    }
}

impl StrategyResult {
    fn new(outcome: &Outcome) -> Self {
        let times = &outcome.times;
        let at = |of: &Histogram<u64>, quantile| micros_of(of.value_at_quantile(quantile));
        Self {
            strategy: outcome.strategy.clone(),
            kind: outcome.kind,
            instances: outcome.instances.clone(),
            count: times.service.len(),
            rps: outcome.rps(),
            p50_us: at(&times.service, 0.5),
            p90_us: at(&times.service, 0.9),
            p95_us: at(&times.service, 0.95),
            p99_us: at(&times.service, 0.99),
            avg_us: times.service.mean() / 1_000.0,
            latency_p50_us: at(&times.latency, 0.5),
            latency_p99_us: at(&times.latency, 0.99),
            queue_p50_us: at(&times.queue, 0.5),
            queue_p99_us: at(&times.queue, 0.99),
            rps_rounds: outcome.rounds.iter().map(Round::rps).collect(),
            p50_us_rounds: outcome.rounds.iter().map(|round| micros_of(round.p50)).collect(),
            phases_us: outcome.phases(),
            curve: curve(&times.service),
            latency_curve: curve(&times.latency),
        }
    }
}

/// The percentiles at which a value changes, five to each halving of what is left above.
fn curve(histogram: &Histogram<u64>) -> Vec<[f64; 2]> {
    let mut curve: Vec<[f64; 2]> =
        histogram.iter_quantiles(5).map(|at| [at.quantile(), micros_of(at.value_iterated_to())]).collect();
    curve.dedup();
    curve
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::bench::fakes::{FakeClock, plan, report, target};

    #[test]
    fn the_json_has_the_shape_that_readers_rely_on_and_is_read_back_as_it_was() {
        let expected = concat!(
            r#"{"mixes":[{"mix":"dense","load":{"concurrency":2,"workers":1,"rate":null},"point":null,"log":0,"#,
            r#""requests":4,"non_empty":2,"results":["#,
            r#"{"strategy":"baseline","kind":"wasm","instances":"fresh","count":4,"#,
            r#""rps":500000.0,"p50_us":2.0,"p90_us":2.0,"p95_us":2.0,"p99_us":2.0,"avg_us":2.0,"#,
            r#""latency_p50_us":2.0,"latency_p99_us":4.001,"queue_p50_us":0.0,"queue_p99_us":2.0,"#,
            r#""rps_rounds":[500000.0,500000.0],"p50_us_rounds":[2.0,2.0],"#,
            r#""phases_us":{"queue":1.0,"snapshot":0.0,"instantiate":0.0,"guest":0.0,"host_calls":0.0,"#,
            r#""check":0.0,"payloads":0.0,"render":0.0,"other":2.0},"#,
            r#""curve":[[1.0,2.0]],"latency_curve":[[0.5,2.0],[1.0,4.001]]},"#,
            r#"{"strategy":"keyset","kind":"wasm","instances":"fresh","count":4,"#,
            r#""rps":2000000.0,"p50_us":0.5,"p90_us":0.5,"p95_us":0.5,"p99_us":0.5,"avg_us":0.5,"#,
            r#""latency_p50_us":0.5,"latency_p99_us":1.0,"queue_p50_us":0.0,"queue_p99_us":0.5,"#,
            r#""rps_rounds":[2000000.0,2000000.0],"p50_us_rounds":[0.5,0.5],"#,
            r#""phases_us":{"queue":0.25,"snapshot":0.0,"instantiate":0.0,"guest":0.0,"host_calls":0.0,"#,
            r#""check":0.0,"payloads":0.0,"render":0.0,"other":0.5},"#,
            r#""curve":[[1.0,0.5]],"latency_curve":[[0.5,0.5],[1.0,1.0]]}],"#,
            r#""ratios":[{"of":"keyset","to":"baseline","rps":4.0,"p50":0.25,"p95":0.25,"p99":0.25,"#,
            r#""rps_low":4.0,"rps_median":4.0,"rps_high":4.0,"#,
            r#""p50_low":0.25,"p50_median":0.25,"p50_high":0.25,"#,
            r#""rps_95":[4.0,4.0],"p50_95":[0.25,0.25],"p99_95":[0.25,0.25]}]}],"sweeps":[],"#,
            r#""machine":{"cpu":"CPU","arch":"x86_64","cores":2,"memory_bytes":1024,"kernel":"linux 6"},"#,
            r#""conditions":{"started":"2026-01-02T03:04:05Z","load_before":0.25,"load_after":1.5,"#,
            r#""page_cache":"as it was found"},"#,
            r#""versions":{"keyhole":"0.1.0"},"#,
            r#""digests":{"baseline":"digest of baseline","keyset":"digest of keyset","program":"abc"},"#,
            r#""logs":[{"name":"data","rows":100,"high_water":100,"database_bytes":4096,"payload_bytes":600}],"#,
            r#""settings":{"rounds":2,"warmup":0,"seed":1337}}"#,
        );
        let clock = FakeClock::default();
        let mut sides = [target("baseline", &clock, 1, 2_000), target("keyset", &clock, 1, 500)];
        let measured = report(&plan(4, 2, 1), &mut sides, &clock);
        assert_eq!(serde_json::to_string(&measured).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Report>(expected).unwrap(), measured);
    }
}

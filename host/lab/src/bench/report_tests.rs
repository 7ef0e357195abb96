#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use super::*;
use crate::bench::fakes::context;
use crate::bench::load::Load;
use crate::bench::machine::Machine;
use crate::bench::phases::PhaseTimes;
use crate::bench::plan::{Axis, Kind};
use crate::bench::sweep::Step;

const LOAD: Load = Load { concurrency: 4, workers: 2, rate: None };

fn side(strategy: &str, rps: f64, p50_us: f64) -> StrategyResult {
    let native = strategy.starts_with("native");
    StrategyResult {
        strategy: strategy.into(),
        kind: if native { Kind::Native } else { Kind::Wasm },
        instances: if native { "none".into() } else { "fresh".into() },
        count: 1_000,
        rps,
        p50_us,
        p90_us: p50_us * 1.5,
        p95_us: p50_us * 2.0,
        p99_us: p50_us * 4.0,
        avg_us: p50_us * 1.25,
        latency_p50_us: p50_us * 2.0,
        latency_p99_us: p50_us * 5.0,
        queue_p50_us: p50_us,
        queue_p99_us: p50_us,
        rps_rounds: vec![],
        p50_us_rounds: vec![],
        phases_us: PhaseTimes::default(),
        curve: vec![],
        latency_curve: vec![],
    }
}

fn ratio(of: &str, to: &str, rps: f64, time: f64) -> Ratio {
    Ratio {
        of: of.into(),
        to: to.into(),
        rps,
        p50: time,
        p95: time,
        p99: time * 2.0,
        rps_low: rps * 0.9,
        rps_median: rps,
        rps_high: rps * 1.1,
        p50_low: time * 0.9,
        p50_median: time,
        p50_high: time * 1.1,
        rps_95: Some([rps * 0.95, rps * 1.05]),
        p50_95: None,
        p99_95: None,
    }
}

fn result(mixes: Vec<MixResult>) -> BenchResult {
    BenchResult {
        mixes,
        sweeps: vec![],
        machine: Machine {
            cpu: "AMD EPYC".into(),
            memory_bytes: 24 << 30,
            kernel: "linux 6.18".into(),
            ..context().machine
        },
        conditions: context().conditions,
        versions: BTreeMap::from([("keyhole".into(), "0.1.0".into()), ("wasmtime".into(), "48.0.8".into())]),
        digests: BTreeMap::new(),
        logs: context().logs,
        settings: Settings { rounds: 10, warmup: 100, seed: 1_337 },
    }
}

fn contract() -> MixResult {
    MixResult {
        mix: "contract".into(),
        load: LOAD,
        point: None,
        log: 0,
        requests: 1_000,
        non_empty: 61,
        results: vec![
            side("baseline", 812.34, 2_403.2),
            side("keyset", 68_236.0, 20.04),
            side("native-keyset", 81_000.0, 17.0),
        ],
        ratios: vec![
            ratio("keyset", "baseline", 84.0, 1.0 / 62.0),
            ratio("native-keyset", "baseline", 99.7, 1.0 / 70.0),
            ratio("keyset", "native-keyset", 0.842, 1.17),
        ],
    }
}

#[test]
fn a_report_shows_figures_ratios_gains_and_losses() {
    let expected = "\
AMD EPYC, 2 cores, 24.0 GiB, linux 6.18, x86_64
keyhole 0.1.0, wasmtime 48.0.8

contract: 1,000 requests, 61 of them with events (6.1 %); 4 in flight on 2 workers, 10 rounds
strategy       instances     RPS    P50    P90    P95    P99  average  client P50  client P99
---------------------------------------------------------------------------------------------
baseline       fresh         812  2,403  3,605  4,806  9,613    3,004       4,806      12,016
keyset         fresh      68,236   20.0   30.1   40.1   80.2     25.0        40.1         100
native-keyset  none       81,000   17.0   25.5   34.0   68.0     21.2        34.0        85.0

of ÷ to                     RPS               by round         95 %     P50                  by round  95 %     P95     P99
---------------------------------------------------------------------------------------------------------------------------
keyset ÷ baseline          84.0     75.6 / 84.0 / 92.4    79.8–88.2  0.0161  0.0145 / 0.0161 / 0.0177     -  0.0161  0.0323
native-keyset ÷ baseline   99.7      89.7 / 99.7 / 110     94.7–105  0.0143  0.0129 / 0.0143 / 0.0157     -  0.0143  0.0286
keyset ÷ native-keyset    0.842  0.758 / 0.842 / 0.926  0.800–0.884    1.17        1.05 / 1.17 / 1.29     -    1.17    2.34

Times in µs. P50 to average are of service time; client is what a client sees, time in queue included.
Ratios are of ÷ to; by round: smallest, median and largest of the rounds; 95 %: where the ratio of the rounds' means lies.

What the swap would buy
- On contract, keyset answers 84 times as many requests per second as baseline (76 to 92 by round); its P99 is 1/31 of baseline's.

What speaks against it
- The newer side lost in no measure of any mix, nor in any round's requests per second.
- On contract, 93.9 % of the pages are empty: it says little about reading.
- On contract, the sandbox makes keyset take 1.17 times the P50 and 2.3 times the P99 of native-keyset, at 0.84 times its requests per second.
";
    assert_eq!(render(&result(vec![contract()])), expected);
}

#[test]
fn a_sweep_sets_each_point_against_the_first() {
    let step = |strategy: &str, of: &str, time| Step {
        strategy: strategy.into(),
        ratio: ratio(of, "page 1", 1.0, time),
    };
    let sweeps = vec![SweepResult {
        sweep: "depth".into(),
        axis: Axis::Depth,
        mixes: vec![],
        steps: vec![step("keyset", "page 10", 1.01), step("baseline", "page 1000", 40.0)],
    }];
    let text = render(&BenchResult { sweeps, ..result(vec![]) });
    let lines: Vec<&str> = text.lines().skip(3).take(5).collect();
    assert_eq!(lines[0], "depth: each point against the first");
    assert!(lines[3].starts_with("keyset    page 10 ÷ page 1    1.00"), "{text}");
    assert!(
        lines[4].starts_with("baseline  page 1000 ÷ page 1  1.00") && lines[4].ends_with("80.0"),
        "{text}"
    );
}

#[test]
fn a_measure_in_which_the_newer_side_lost_is_said_in_words() {
    let mix = MixResult {
        mix: "dense".into(),
        load: LOAD,
        point: None,
        log: 0,
        requests: 10,
        non_empty: 10,
        results: vec![side("baseline", 100.0, 10.0), side("keyset", 105.0, 12.0)],
        ratios: vec![ratio("keyset", "baseline", 1.05, 0.8)],
    };
    let text = render(&result(vec![mix]));
    let line = "- On dense, keyset lost to baseline: 0.95 times the requests per second in its \
                worst round, 1.60 times the P99, 1.20 times the P99 that a client sees.\n";
    assert!(text.ends_with(line), "{text}");
}

#[test]
fn without_a_loss_the_report_says_so() {
    let mix = MixResult { non_empty: 1_000, ..contract() };
    let text = render(&result(vec![mix]));
    assert!(text.contains("- The newer side lost in no measure of any mix"));
    assert!(!text.contains("says little about reading"));
}

#[test]
fn one_strategy_alone_is_reported_without_ratios_and_without_verdict() {
    let mut mix = MixResult { non_empty: 1_000, ..contract() };
    mix.results.truncate(1);
    mix.ratios.clear();
    let text = render(&result(vec![mix]));
    assert!(text.contains("baseline"));
    assert!(!text.contains("÷ baseline") && !text.contains("What the swap would buy"), "{text}");
}

#[test]
fn a_report_has_no_colours_and_no_trailing_blanks() {
    let text = render(&result(vec![contract()]));
    assert!(!text.contains('\u{1b}'));
    assert!(text.lines().all(|line| line == line.trim_end()));
}

//! Which targets are set against which, and which points of a sweep; and by how much they differ.

use serde::{Deserialize, Serialize};

use super::interval::{interval, median};
use super::plan::Axis;
use super::run::{MixRun, Outcome, Round};
use super::target::Kind;
use keyhole_log::units::{float, whole_nanos};

/// One target's figures divided by another's on the same requests: of ÷ to.
///
/// Percentiles are of service time. The figures by round show how far a ratio can be trusted:
/// `low`, `high` and `median` are of the ratios that the rounds gave one by one, and `95` is the interval
/// of 95 % confidence for the ratio of the rounds' means (see `interval.rs`); none where
/// there was one round only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Whose figures are divided.
    pub of: String,
    /// By whose.
    pub to: String,
    /// Requests per second; above 1 where `of` answers more.
    pub rps: f64,
    /// Medians; below 1 where `of` is quicker.
    pub p50: f64,
    /// The same for the 95th percentile.
    pub p95: f64,
    /// The same for the 99th percentile.
    pub p99: f64,
    /// Smallest ratio of requests per second in a round.
    pub rps_low: f64,
    /// Median ratio of requests per second over the rounds.
    pub rps_median: f64,
    /// Largest ratio of requests per second in a round.
    pub rps_high: f64,
    /// Smallest ratio of medians in a round.
    pub p50_low: f64,
    /// Median ratio of medians over the rounds.
    pub p50_median: f64,
    /// Largest ratio of medians in a round.
    pub p50_high: f64,
    /// Interval for the requests per second.
    pub rps_95: Option<[f64; 2]>,
    /// Interval for the medians.
    pub p50_95: Option<[f64; 2]>,
    /// Interval for the 99th percentiles.
    pub p99_95: Option<[f64; 2]>,
}

/// A sweep's outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepResult {
    /// Its name.
    pub sweep: String,
    /// What was varied.
    pub axis: Axis,
    /// The names of its mixes, in order; each [`MixResult`](super::MixResult) says where it stands.
    pub mixes: Vec<String>,
    /// Each point against the first.
    pub steps: Vec<Step>,
}

/// How a strategy fares at one point of a sweep, against the sweep's first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The strategy.
    pub strategy: String,
    /// Its figures at the point `of` divided by those at the first point, `to`.
    #[serde(flatten)]
    pub ratio: Ratio,
}

/// Whether `native` names the plain Rust twin of the sandboxed strategy `wasm`: `native-keyset` is
/// that of `keyset` and of `keyset-warm`.
pub fn is_twin(wasm: &str, native: &str) -> bool {
    native.strip_prefix("native-") == Some(wasm.strip_suffix("-warm").unwrap_or(wasm))
}

/// Every other target against the reference (`baseline`, or the first one without it), then
/// every sandboxed one against its native twin, then every strategy against the floors.
pub(super) fn ratios(outcomes: &[Outcome]) -> Vec<Ratio> {
    let real = |outcome: &&Outcome| outcome.kind != Kind::Floor;
    let baseline = outcomes.iter().find(|outcome| outcome.strategy == "baseline");
    let first = outcomes.iter().find(real);
    let Some(reference) = baseline.or(first).or(outcomes.first()) else { return Vec::new() };
    let others = outcomes.iter().filter(|of| of.strategy != reference.strategy);
    let mut ratios: Vec<Ratio> = others.map(|of| between(of, reference)).collect();

    for wasm in outcomes.iter().filter(|outcome| outcome.kind == Kind::Wasm) {
        let twin = outcomes.iter().find(|other| is_twin(&wasm.strategy, &other.strategy));
        let native = twin.filter(|twin| twin.kind == Kind::Native);
        let new = native.filter(|native| native.strategy != reference.strategy);
        ratios.extend(new.map(|native| between(wasm, native)));
    }
    for floor in outcomes.iter().filter(|outcome| outcome.kind == Kind::Floor) {
        ratios.extend(outcomes.iter().filter(real).map(|of| between(of, floor)));
    }
    ratios
}

/// The sweeps among these runs. Their rounds were interleaved, so they are pairs.
pub(super) fn sweeps(runs: &[MixRun<'_>]) -> Vec<SweepResult> {
    let name = |run: &MixRun<'_>| run.mix.point.as_ref().map(|point| point.sweep.clone());
    let groups = runs.chunk_by(|one, next| name(one).is_some() && name(one) == name(next));
    groups.filter_map(sweep).collect()
}

fn sweep(runs: &[MixRun<'_>]) -> Option<SweepResult> {
    let (first, later) = runs.split_first()?;
    let point = first.mix.point.as_ref()?;
    let mut steps = Vec::new();
    for start in &first.outcomes {
        for run in later {
            let label = run.mix.point.as_ref().map_or(run.mix.name.as_str(), |point| &point.label);
            let end = run.outcomes.iter().find(|outcome| outcome.strategy == start.strategy);
            steps.extend(end.map(|end| Step {
                strategy: start.strategy.clone(),
                ratio: Ratio { of: label.to_owned(), to: point.label.clone(), ..between(end, start) },
            }));
        }
    }
    Some(SweepResult {
        sweep: point.sweep.clone(),
        axis: point.axis,
        mixes: runs.iter().map(|run| run.mix.name.clone()).collect(),
        steps,
    })
}

/// One outcome's figures divided by another's, round by round as they were interleaved.
fn between(of: &Outcome, to: &Outcome) -> Ratio {
    let service = |quantile| {
        let at = |side: &Outcome| float(side.times.service.value_at_quantile(quantile).max(1));
        at(of) / at(to)
    };
    let pairs = |figure: fn(&Round) -> f64| -> Vec<(f64, f64)> {
        of.rounds.iter().zip(&to.rounds).map(|(of, to)| (figure(of), figure(to))).collect()
    };
    let [rps_low, rps_median, rps_high] = spread(&pairs(Round::rps));
    let p50 = pairs(|round| float(round.p50.max(1)));
    let [p50_low, p50_median, p50_high] = spread(&p50);
    // Of times, whose sum is the run's, and not of rates, whose mean means nothing.
    let time = |round: &Round| float(whole_nanos(round.wall).max(1)) / float(round.requests.max(1) as u64);
    let times: Vec<_> = pairs(time).into_iter().map(|(of, to)| (to, of)).collect();
    Ratio {
        of: of.strategy.clone(),
        to: to.strategy.clone(),
        rps: of.rps() / to.rps(),
        p50: service(0.5),
        p95: service(0.95),
        p99: service(0.99),
        rps_low,
        rps_median,
        rps_high,
        p50_low,
        p50_median,
        p50_high,
        rps_95: interval(&times),
        p50_95: interval(&p50),
        p99_95: interval(&pairs(|round| float(round.p99.max(1)))),
    }
}

/// Smallest, median and largest ratio over the rounds.
fn spread(rounds: &[(f64, f64)]) -> [f64; 3] {
    let by_round: Vec<f64> = rounds.iter().map(|(of, to)| of / to).collect();
    let low = by_round.iter().copied().fold(f64::INFINITY, f64::min);
    let high = by_round.iter().copied().fold(0.0, f64::max);
    [low, median(by_round), high]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::time::Duration;

    use super::*;
    use crate::bench::fakes::kind;
    use crate::bench::histogram::{Counts, Histograms};
    use crate::bench::phases::Phases;

    /// One request a round, each taking as long as is said.
    fn outcome(strategy: &str, nanos: &[u64]) -> Outcome {
        let mut times = Histograms::new().unwrap();
        let round = |&p50: &u64| {
            let wall = Duration::from_nanos(p50);
            times.record(Duration::ZERO, Duration::ZERO, wall);
            Round {
                requests: 1,
                started: Duration::ZERO,
                wall,
                p50,
                p99: p50,
                service: Counts::default(),
                latency: Counts::default(),
                phases: Phases::default(),
            }
        };
        let rounds = nanos.iter().map(round).collect();
        Outcome { strategy: strategy.into(), kind: kind(strategy), instances: "fresh".into(), times, rounds }
    }

    #[test]
    fn everyone_is_set_against_the_reference_then_the_twins_then_the_floors() {
        for (strategies, expected) in [
            (
                &["keyset", "baseline", "keyset-warm", "native-keyset", "native-baseline"][..],
                &[
                    "keyset/baseline",
                    "keyset-warm/baseline",
                    "native-keyset/baseline",
                    "native-baseline/baseline",
                    "keyset/native-keyset",
                    "baseline/native-baseline",
                    "keyset-warm/native-keyset",
                ][..],
            ),
            // Without a baseline the first is the reference, and no pair comes twice.
            (&["native-keyset", "keyset"], &["keyset/native-keyset"]),
            (&["other.wasm", "keyset"], &["keyset/other.wasm"]),
            (&["keyset"], &[]),
            (&["floor-reads"], &[]),
            (&[], &[]),
            // No floor is the reference of a strategy.
            (
                &["floor-reads", "keyset", "native-keyset"],
                &[
                    "floor-reads/keyset",
                    "native-keyset/keyset",
                    "keyset/native-keyset",
                    "keyset/floor-reads",
                    "native-keyset/floor-reads",
                ],
            ),
        ] {
            let outcomes: Vec<_> = strategies.iter().map(|name| outcome(name, &[1])).collect();
            let ratios = ratios(&outcomes);
            let pairs = ratios.iter().map(|ratio| format!("{}/{}", ratio.of, ratio.to));
            assert_eq!(pairs.collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "powers of two divide exactly")]
    fn a_ratio_is_of_divided_by_to_with_its_spread_over_rounds() {
        let sides = [outcome("baseline", &[80, 40, 80]), outcome("keyset", &[10, 10, 40])];
        let ratio = ratios(&sides).remove(0);
        assert_eq!((ratio.rps_low, ratio.rps_median, ratio.rps_high), (2.0, 4.0, 8.0));
        assert_eq!((ratio.p50_low, ratio.p50_median, ratio.p50_high), (0.125, 0.25, 0.5));
        assert_eq!((ratio.p50, ratio.p99), (0.125, 0.5));
        assert!((ratio.rps - 200.0 / 60.0).abs() < 1e-9);

        let [low, high] = ratio.p50_95.unwrap();
        assert!(low <= 60.0 / 200.0 && 60.0 / 200.0 <= high && low >= 0.125 && high <= 0.5);

        let even = [outcome("baseline", &[80, 80]), outcome("keyset", &[10, 20])];
        assert_eq!(ratios(&even)[0].rps_median, 6.0);
    }
}

//! The result in words: what the swap would buy, and what speaks against it.

use super::plan::Kind;
use super::ratio::{Ratio, is_twin};
use super::result::{BenchResult, MixResult, StrategyResult};
use super::run::float;
use crate::units::{part, percent, times};

/// One sentence for each mix and each sandboxed strategy that was set against the reference.
pub(super) fn bought(result: &BenchResult) -> Vec<String> {
    let sentences = alone(result).flat_map(|mix| {
        swaps(mix).map(move |(ratio, _, _)| {
            let Ratio { of, to, .. } = ratio;
            format!(
                "On {}, {of} answers {} times as many requests per second as {to} ({} to {} by \
                 round); its P99 is {} {to}'s.",
                mix.mix,
                times(ratio.rps),
                times(ratio.rps_low),
                times(ratio.rps_high),
                part(ratio.p99),
            )
        })
    });
    sentences.collect()
}

/// Where the newer side lost, how little a mix says, and what the sandbox costs.
pub(super) fn against(result: &BenchResult) -> Vec<String> {
    let mut lines: Vec<String> = alone(result).flat_map(losses).collect();
    if lines.is_empty() && alone(result).any(|mix| swaps(mix).next().is_some()) {
        let none = "The newer side lost in no measure of any mix, nor in any round's requests per second.";
        lines.push(none.into());
    }
    lines.extend(alone(result).filter_map(emptiness));
    lines.extend(alone(result).flat_map(sandbox));
    lines
}

/// The mixes that were measured for themselves: what a sweep's points tell is how they differ.
fn alone(result: &BenchResult) -> impl Iterator<Item = &MixResult> {
    result.mixes.iter().filter(|mix| mix.point.is_none())
}

fn losses(mix: &MixResult) -> impl Iterator<Item = String> {
    swaps(mix).filter_map(|(ratio, of, to)| {
        let mut lost = Vec::new();
        if ratio.rps < 1.0 {
            lost.push(format!("{} times the requests per second", times(ratio.rps)));
        } else if ratio.rps_low < 1.0 {
            let low = times(ratio.rps_low);
            lost.push(format!("{low} times the requests per second in its worst round"));
        }
        let client = of.latency_p99_us / to.latency_p99_us;
        for (measure, slower) in
            [("P50", ratio.p50), ("P95", ratio.p95), ("P99", ratio.p99), ("P99 that a client sees", client)]
        {
            if slower > 1.0 {
                lost.push(format!("{} times the {measure}", times(slower)));
            }
        }
        let Ratio { of, to, .. } = ratio;
        (!lost.is_empty()).then(|| format!("On {}, {of} lost to {to}: {}.", mix.mix, lost.join(", ")))
    })
}

fn emptiness(mix: &MixResult) -> Option<String> {
    let (full, all) = (float(mix.non_empty), float(mix.requests as u64));
    (full < all / 2.0).then(|| {
        let empty = percent(all - full, all);
        format!("On {}, {empty} of the pages are empty: it says little about reading.", mix.mix)
    })
}

fn sandbox(mix: &MixResult) -> impl Iterator<Item = String> {
    mix.ratios.iter().filter_map(|ratio| {
        let Ratio { of, to, .. } = ratio;
        is_twin(of, to).then(|| {
            format!(
                "On {}, the sandbox makes {of} take {} times the P50 and {} times the P99 of {to}, \
                 at {} times its requests per second.",
                mix.mix,
                times(ratio.p50),
                times(ratio.p99),
                times(ratio.rps),
            )
        })
    })
}

/// The ratios of a sandboxed strategy to the reference, with both sides' figures.
fn swaps(mix: &MixResult) -> impl Iterator<Item = (&Ratio, &StrategyResult, &StrategyResult)> {
    let side = |name: &str| mix.results.iter().find(|result| result.strategy == name);
    mix.ratios.iter().filter_map(move |ratio| {
        let (of, to) = (side(&ratio.of)?, side(&ratio.to)?);
        let floor = to.kind == Kind::Floor;
        (of.kind == Kind::Wasm && !floor && !is_twin(&ratio.of, &ratio.to)).then_some((ratio, of, to))
    })
}

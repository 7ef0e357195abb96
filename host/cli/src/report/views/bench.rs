//! A benchmark as a document: what it comes to in words, then each mix and each sweep with plots and tables.

use std::collections::BTreeMap;

use crate::report::{Block, Cell, Document, Plot, Scale, ScaleKind, Section, Series, Stack, Stacks};
use keyhole_lab::bench::{
    Axis, Kind, MixResult, PHASES, Ratio, Report, StrategyResult, SweepResult, is_twin,
};
use keyhole_log::units::{figure, float, grouped, mebibytes, part, percent, times};

/// How many columns the widest table takes. Rows that are broken do not line up: better a line too long.
pub const WIDEST: usize = 160;

/// Strategies whose colours are the same in every report; others take the next ones.
const KNOWN: [&str; 7] = [
    "baseline",
    "keyset",
    "keyset-warm",
    "native-baseline",
    "native-keyset",
    "floor-snapshot",
    "floor-reads",
];

/// A benchmark for a terminal, which draws no charts: every figure stands in a table.
pub fn tables(result: &Report) -> Document {
    let mut document = document(&[(String::new(), result)]);
    for section in &mut document.sections {
        section.blocks.retain(|block| !matches!(block, Block::Plot(_) | Block::Stacks(_)));
    }
    document
}

/// One or several benchmarks, each with its name.
pub fn document(results: &[(String, &Report)]) -> Document {
    let names: Vec<&str> = results.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(", ");
    let title = if names.is_empty() { "Benchmark".to_owned() } else { format!("Benchmark: {names}") };
    let colours = Colours::of(results.iter().map(|(_, result)| *result));
    let mut sections = Vec::new();
    for (name, result) in results {
        let prefix = if results.len() > 1 { format!("{name}: ") } else { String::new() };
        let rounds = result.settings.rounds;
        let own = alone(result).map(|mix| mix_section(mix, rounds, &colours));
        let sweeps = result.sweeps.iter().map(|sweep| sweep_section(result, sweep, &colours));
        let all = [verdict(result)].into_iter().chain(own).chain(sweeps).chain([conditions(result)]);
        sections.extend(
            all.map(|section| Section { heading: format!("{prefix}{}", section.heading), ..section }),
        );
    }
    if results.len() > 1 {
        sections.push(compared(results));
    }
    Document { title, verdict: None, sections }
}

/// Which strategy has which colour.
struct Colours<'a>(Vec<&'a str>);

impl<'a> Colours<'a> {
    fn of(results: impl Iterator<Item = &'a Report>) -> Self {
        let mut names = KNOWN.to_vec();
        for side in results.flat_map(|result| &result.mixes).flat_map(|mix| &mix.results) {
            if !names.contains(&side.strategy.as_str()) {
                names.push(&side.strategy);
            }
        }
        Self(names)
    }

    fn get(&self, strategy: &str) -> usize {
        self.0.iter().position(|name| *name == strategy).unwrap_or(0)
    }
}

/// The mixes that were measured for themselves: what a sweep's points tell is how they differ.
fn alone(result: &Report) -> impl Iterator<Item = &MixResult> {
    result.mixes.iter().filter(|mix| mix.point.is_none())
}

fn verdict(result: &Report) -> Section {
    let mut section = Section::new("What it comes to");
    for (title, lines) in
        [("What the swap would buy:", bought(result)), ("What speaks against it:", against(result))]
    {
        if !lines.is_empty() {
            let lines = lines.into_iter().map(Cell::from).collect();
            section = section.with(Block::text(title)).with(Block::List(lines));
        }
    }
    if section.blocks.is_empty() {
        section = section.with(Block::text(if result.sweeps.is_empty() {
            "Nothing was set against another strategy."
        } else {
            "Each sweep says below how its points differ."
        }));
    }
    section
}

/// One sentence for each mix and each sandboxed strategy that was set against the reference.
fn bought(result: &Report) -> Vec<String> {
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
fn against(result: &Report) -> Vec<String> {
    let mut lines: Vec<String> = alone(result).flat_map(losses).collect();
    if lines.is_empty() && alone(result).any(|mix| swaps(mix).next().is_some()) {
        let none = "The newer side lost in no measure of any mix, nor in any round's requests per second.";
        lines.push(none.into());
    }
    for mix in alone(result) {
        let (full, all) = (float(mix.non_empty), float(mix.requests as u64));
        if full < all / 2.0 {
            let empty = percent(all - full, all);
            lines.push(format!(
                "On {}, {empty} of the pages are empty: it says little about reading.",
                mix.mix
            ));
        }
    }
    for mix in alone(result) {
        let twins = mix.ratios.iter().filter(|ratio| is_twin(&ratio.of, &ratio.to));
        lines.extend(twins.map(|Ratio { of, to, rps, p50, p99, .. }| {
            let (p50, p99, rps) = (times(*p50), times(*p99), times(*rps));
            format!(
                "On {}, the sandbox makes {of} take {p50} times the P50 and {p99} times the P99 of {to}, \
                 at {rps} times its requests per second.",
                mix.mix
            )
        }));
    }
    lines
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

/// The ratios of a sandboxed strategy to the reference, with both sides' figures.
fn swaps(mix: &MixResult) -> impl Iterator<Item = (&Ratio, &StrategyResult, &StrategyResult)> {
    let side = |name: &str| mix.results.iter().find(|result| result.strategy == name);
    mix.ratios.iter().filter_map(move |ratio| {
        let (of, to) = (side(&ratio.of)?, side(&ratio.to)?);
        let floor = to.kind == Kind::Floor;
        (of.kind == Kind::Wasm && !floor && !is_twin(&ratio.of, &ratio.to)).then_some((ratio, of, to))
    })
}

fn mix_section(mix: &MixResult, rounds: usize, colours: &Colours<'_>) -> Section {
    let told = format!(
        "{} requests, {} of them with events ({}); {}, {} rounds.",
        grouped(mix.requests as u64),
        grouped(mix.non_empty),
        percent(float(mix.non_empty), float(mix.requests as u64)),
        mix.load.words(),
        rounds.min(mix.requests),
    );
    let service = "service time by percentile";
    let latency = "latency by percentile: what a client sees, time in queue included";
    let head = ["strategy"].into_iter().chain(FIGURES);
    let rows = mix.results.iter().map(|side| cells([side.strategy.clone()].into_iter().chain(figures(side))));
    let mut section = Section::new(format!("Mix {}", mix.mix))
        .with(Block::text(told))
        .with(rates(mix, colours))
        .with(curve(mix, service, |side| &side.curve, colours))
        .with(curve(mix, latency, |side| &side.latency_curve, colours))
        .with(table(head, rows.collect()));
    if !mix.ratios.is_empty() {
        let rows = mix.ratios.iter().map(|ratio| cells(shares(ratio)));
        section = section.with(table(RATIOS, rows.collect()));
    }
    let native = "Of a native strategy, whose calls cross no boundary, host calls are part of guest.";
    section.with(phases(mix)).with(Block::text(native)).with(phase_times(mix))
}

/// A strategy's figures: the columns behind its name.
const FIGURES: [&str; 9] =
    ["instances", "#RPS", "#P50", "#P90", "#P95", "#P99", "#average", "#client P50", "#client P99"];

fn figures(side: &StrategyResult) -> impl Iterator<Item = String> {
    let numbers = [
        side.rps,
        side.p50_us,
        side.p90_us,
        side.p95_us,
        side.p99_us,
        side.avg_us,
        side.latency_p50_us,
        side.latency_p99_us,
    ];
    [side.instances.clone()].into_iter().chain(numbers.map(figure))
}

const RATIOS: [&str; 9] =
    ["of ÷ to", "#RPS", "#by round", "#95 %", "#P50", "#by round", "#95 %", "#P95", "#P99"];

/// A ratio's names, and its figures from requests per second to the 99th percentile.
fn shares(ratio: &Ratio) -> [String; 9] {
    let spread = |figures: [f64; 3]| figures.map(figure).join(" / ");
    let within = |interval: Option<[f64; 2]>| interval.map_or("-".into(), |ends| ends.map(figure).join("–"));
    [
        format!("{} ÷ {}", ratio.of, ratio.to),
        figure(ratio.rps),
        spread([ratio.rps_low, ratio.rps_median, ratio.rps_high]),
        within(ratio.rps_95),
        figure(ratio.p50),
        spread([ratio.p50_low, ratio.p50_median, ratio.p50_high]),
        within(ratio.p50_95),
        figure(ratio.p95),
        figure(ratio.p99),
    ]
}

fn cells(texts: impl IntoIterator<Item = String>) -> Vec<Cell> {
    texts.into_iter().map(Cell::from).collect()
}

fn table<'a>(head: impl IntoIterator<Item = &'a str>, rows: Vec<Vec<Cell>>) -> Block {
    Block::table(&head.into_iter().collect::<Vec<_>>(), rows)
}

fn rates(mix: &MixResult, colours: &Colours<'_>) -> Block {
    let stack = |side: &StrategyResult| {
        let least = side.rps_rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = side.rps_rounds.iter().copied().fold(0.0, f64::max);
        let by_round = if side.rps_rounds.len() > 1 {
            format!(" ({}–{})", figure(least), figure(most))
        } else {
            String::new()
        };
        Stack {
            label: side.strategy.clone(),
            sizes: vec![(side.rps, colours.get(&side.strategy))],
            words: format!("{}{by_round}", figure(side.rps)),
        }
    };
    Block::Stacks(Stacks {
        title: format!("{}: requests per second (least and most of a round)", mix.mix),
        parts: Vec::new(),
        // A floor does a part of the work: beside its bar, those of whole pages vanish.
        stacks: mix.results.iter().filter(|side| side.kind != Kind::Floor).map(stack).collect(),
        shares: false,
    })
}

fn curve(
    mix: &MixResult,
    title: &str,
    of: fn(&StrategyResult) -> &Vec<[f64; 2]>,
    colours: &Colours<'_>,
) -> Block {
    let series = mix.results.iter().map(|side| {
        // The slowest of n requests tells nothing of what lies above 1 − 1/n: there the curve ends.
        let end = 1.0 - 0.5 / float(side.count.max(1));
        let points = of(side).iter().map(|&[quantile, micros]| (quantile.min(end), micros));
        Series { name: side.strategy.clone(), colour: colours.get(&side.strategy), points: points.collect() }
    });
    Block::Plot(Plot {
        title: format!("{}: {title}", mix.mix),
        x: Scale { label: "percentile, on the axis 1/(1 − p)".to_owned(), kind: ScaleKind::Tail },
        y: log_scale("µs"),
        series: series.collect(),
    })
}

fn log_scale(label: &str) -> Scale {
    Scale { label: label.to_owned(), kind: ScaleKind::Log }
}

fn phases(mix: &MixResult) -> Block {
    let stack = |side: &StrategyResult| {
        let times = side.phases_us.to_array();
        Stack {
            label: side.strategy.clone(),
            // What a page itself takes: the queue depends on the load, and stands in the table.
            sizes: times.into_iter().zip(0..).skip(1).collect(),
            words: format!("{} µs", figure(times.iter().skip(1).sum())),
        }
    };
    Block::Stacks(Stacks {
        title: format!("{}: phases of a page, from taken to rendered (median of the rounds' means)", mix.mix),
        parts: PHASES.iter().map(|phase| (*phase).to_owned()).zip(0..).skip(1).collect(),
        stacks: mix.results.iter().filter(|side| side.kind != Kind::Floor).map(stack).collect(),
        shares: true,
    })
}

fn phase_times(mix: &MixResult) -> Block {
    let phases = PHASES.map(|phase| format!("#{phase}"));
    let rows = mix
        .results
        .iter()
        .map(|side| cells([side.strategy.clone()].into_iter().chain(side.phases_us.to_array().map(figure))));
    table(["µs a page"].into_iter().chain(phases.iter().map(String::as_str)), rows.collect())
}

/// One figure of what was measured of a strategy.
type Figure = fn(&StrategyResult) -> f64;

fn sweep_section(result: &Report, sweep: &SweepResult, colours: &Colours<'_>) -> Section {
    let mixes: Vec<&MixResult> =
        sweep.mixes.iter().filter_map(|name| result.mixes.iter().find(|mix| mix.mix == *name)).collect();
    let mut section = Section::new(format!("Sweep {}", sweep.sweep));
    if let Some(mix) = mixes.first() {
        let rounds = result.settings.rounds.min(mix.requests);
        let requests = grouped(mix.requests as u64);
        let told = format!("{requests} requests at each point; {}, {rounds} rounds.", mix.load.words());
        section = section.with(Block::text(told));
    }
    let plots: [(&str, Figure, &str); 3] = [
        ("service time, P50", |side| side.p50_us, "µs"),
        ("service time, P99", |side| side.p99_us, "µs"),
        ("requests per second", |side| side.rps, "requests per second"),
    ];
    for (title, of, label) in plots {
        section = section.with(Block::Plot(Plot {
            title: format!("{}: {title}", sweep.sweep),
            x: along(sweep.axis, &mixes),
            y: log_scale(label),
            series: lines(&mixes, of, colours),
        }));
    }
    let label = |mix: &MixResult| mix.point.as_ref().map_or(&mix.mix, |point| &point.label).clone();
    let rows = mixes.iter().flat_map(|mix| {
        let share = percent(float(mix.non_empty), float(mix.requests as u64));
        let non_empty = format!("{} ({share})", grouped(mix.non_empty));
        let names = |side: &StrategyResult| [label(mix), side.strategy.clone()].into_iter();
        mix.results.iter().map(move |side| cells(names(side).chain(figures(side)).chain([non_empty.clone()])))
    });
    let head = ["point", "strategy"].into_iter().chain(FIGURES).chain(["#with events"]);
    section = section.with(table(head, rows.collect()));
    let rows: Vec<_> = mixes
        .iter()
        .flat_map(|mix| mix.ratios.iter().map(|ratio| cells([label(mix)].into_iter().chain(shares(ratio)))))
        .collect();
    if !rows.is_empty() {
        section = section.with(table(["point"].into_iter().chain(RATIOS), rows));
    }
    let rows =
        sweep.steps.iter().map(|step| cells([step.strategy.clone()].into_iter().chain(shares(&step.ratio))));
    section
        .with(Block::text(format!("{}: each point against the first", sweep.sweep)))
        .with(table(["strategy"].into_iter().chain(RATIOS), rows.collect()))
}

fn along(axis: Axis, mixes: &[&MixResult]) -> Scale {
    let words = |mix: &&MixResult| mix.point.as_ref().map(|point| point.label.clone()).unwrap_or_default();
    match axis {
        Axis::Filter => {
            let kind = ScaleKind::Places(mixes.iter().map(words).collect());
            Scale { label: axis.words().to_owned(), kind }
        }
        _ => log_scale(axis.words()),
    }
}

fn lines(mixes: &[&MixResult], of: fn(&StrategyResult) -> f64, colours: &Colours<'_>) -> Vec<Series> {
    let first = mixes.first().map(|mix| mix.results.as_slice()).unwrap_or_default();
    let line = |side: &StrategyResult| {
        let points = mixes.iter().filter_map(|mix| {
            let same = mix.results.iter().find(|other| other.strategy == side.strategy)?;
            Some((mix.point.as_ref()?.at, of(same)))
        });
        Series { name: side.strategy.clone(), colour: colours.get(&side.strategy), points: points.collect() }
    };
    first.iter().map(line).collect()
}

fn conditions(result: &Report) -> Section {
    let Report { machine, conditions, settings, .. } = result;
    let list = |pairs: &BTreeMap<String, String>| {
        pairs.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    };
    let load = |load: Option<f64>| load.map_or("unknown".to_owned(), |load| format!("{load:.2}"));
    let (before, after) = (load(conditions.load_before), load(conditions.load_after));
    let cores = if machine.cores == 1 { "core" } else { "cores" };
    let mut pairs = vec![
        ("processor", format!("{}, {} {cores}, {}", machine.cpu, machine.cores, machine.arch)),
        ("memory", format!("{:.1} GiB", mebibytes(machine.memory_bytes) / 1_024.0)),
        ("system", machine.kernel.clone()),
        ("began", conditions.started.clone()),
        ("load average", format!("{before} before, {after} after")),
        ("page cache", conditions.page_cache.clone()),
        ("versions", list(&result.versions)),
        ("digests (SHA-256)", list(&result.digests)),
        (
            "settings",
            format!(
                "{} rounds, {} requests of warm-up, seed {}",
                settings.rounds, settings.warmup, settings.seed
            ),
        ),
    ];
    pairs.extend(result.logs.iter().map(|log| {
        let [database, payloads] =
            [log.database_bytes, log.payload_bytes].map(|bytes| figure(mebibytes(bytes)));
        let (name, rows) = (&log.name, grouped(log.rows));
        ("log", format!("{name}: {rows} events, database {database} MiB, payloads {payloads} MiB"))
    }));
    let note = "Times in µs. P50 to average are of service time; client is what a client sees, time in queue \
                included. Ratios are of ÷ to; by round: smallest, median and largest of the rounds; 95 %: where \
                the ratio of the rounds' means lies.";
    let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), Cell::from(value)));
    Section::new("How it was measured").with(Block::text(note)).with(Block::KeyValues(pairs.collect()))
}

/// The same mix and strategy in several results, each against the first: the runs were not interleaved.
fn compared(results: &[(String, &Report)]) -> Section {
    let Some(((first, base), others)) = results.split_first() else { return Section::default() };
    let mut rows = Vec::new();
    for mix in &base.mixes {
        for side in &mix.results {
            for (name, result) in others {
                let same = result.mixes.iter().find(|other| other.mix == mix.mix);
                let same =
                    same.and_then(|mix| mix.results.iter().find(|other| other.strategy == side.strategy));
                rows.extend(same.map(|other| {
                    let ratios =
                        [other.rps / side.rps, other.p50_us / side.p50_us, other.p99_us / side.p99_us];
                    let names = [mix.mix.clone(), side.strategy.clone(), name.clone()];
                    cells(names.into_iter().chain(ratios.map(figure)))
                }));
            }
        }
    }
    let note = format!(
        "Each run's figures divided by those of {first}. They ran one after another, so what the \
         machine did meanwhile is part of the difference."
    );
    let head = ["mix", "strategy", "run", "#RPS", "#P50", "#P99"];
    Section::new("The runs compared").with(Block::text(note)).with(table(head, rows))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::report::{html, text};
    use keyhole_lab::bench::{Conditions, Load, LogFacts, Machine, PhaseTimes, Point, Settings, Step};

    fn side(strategy: &str, rps: f64, p50_us: f64) -> StrategyResult {
        let native = strategy.starts_with("native");
        StrategyResult {
            strategy: strategy.into(),
            kind: if native { Kind::Native } else { Kind::Wasm },
            instances: if native { "none".into() } else { "fresh".into() },
            count: 40,
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
            rps_rounds: vec![rps, rps * 1.1],
            p50_us_rounds: vec![],
            phases_us: PhaseTimes { guest: p50_us, ..PhaseTimes::default() },
            curve: vec![[0.5, p50_us], [1.0, p50_us * 4.0]],
            latency_curve: vec![[0.5, p50_us * 2.0], [1.0, p50_us * 5.0]],
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

    fn contract() -> MixResult {
        MixResult {
            mix: "contract".into(),
            load: Load { concurrency: 4, workers: 2, rate: None },
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

    fn result(mixes: Vec<MixResult>) -> Report {
        Report {
            mixes,
            sweeps: vec![],
            machine: Machine {
                cpu: "AMD EPYC".into(),
                arch: "x86_64".into(),
                cores: 2,
                memory_bytes: 24 << 30,
                kernel: "linux 6.18".into(),
            },
            conditions: Conditions {
                started: "2026-01-02T03:04:05Z".into(),
                load_before: Some(0.25),
                load_after: None,
                page_cache: "as it was found".into(),
            },
            versions: BTreeMap::from([
                ("keyhole".into(), "0.1.0".into()),
                ("wasmtime".into(), "48.0.8".into()),
            ]),
            digests: BTreeMap::from([("program".into(), "abc".into())]),
            logs: vec![LogFacts {
                name: "data".into(),
                rows: 50_000,
                high_water: 50_000,
                database_bytes: 6 << 20,
                payload_bytes: 55 << 20,
            }],
            settings: Settings { rounds: 10, warmup: 100, seed: 1_337 },
        }
    }

    fn depth() -> Report {
        let point = |page: u32, sides: [f64; 2]| MixResult {
            mix: format!("depth: page {page}"),
            point: Some(Point {
                sweep: "depth".into(),
                axis: Axis::Depth,
                label: format!("page {page}"),
                at: f64::from(page),
            }),
            results: vec![
                side("keyset", 1e6 / sides[0], sides[0]),
                side("./mine.wasm", 1e6 / sides[1], sides[1]),
            ],
            ratios: vec![ratio("./mine.wasm", "keyset", sides[0] / sides[1], sides[1] / sides[0])],
            ..contract()
        };
        let step = Step { strategy: "./mine.wasm".into(), ratio: ratio("page 1000", "page 1", 1.0, 40.0) };
        let sweep = SweepResult {
            sweep: "depth".into(),
            axis: Axis::Depth,
            mixes: vec!["depth: page 1".into(), "depth: page 1000".into()],
            steps: vec![step],
        };
        let mixes = vec![contract(), point(1, [20.0, 30.0]), point(1_000, [21.0, 1_200.0])];
        Report { sweeps: vec![sweep], ..result(mixes) }
    }

    fn said(result: &Report) -> String {
        text(&tables(result), WIDEST, false)
    }

    #[test]
    fn a_terminal_shows_gains_losses_figures_ratios_phases_and_conditions() {
        let expected = "\
Benchmark

What it comes to
  What the swap would buy:
  - On contract, keyset answers 84 times as many requests per second as baseline (76 to 92 by round); its P99 is 1/31 of baseline's.

  What speaks against it:
  - The newer side lost in no measure of any mix, nor in any round's requests per second.
  - On contract, 93.9 % of the pages are empty: it says little about reading.
  - On contract, the sandbox makes keyset take 1.17 times the P50 and 2.3 times the P99 of native-keyset, at 0.84 times its requests per second.

Mix contract
  1,000 requests, 61 of them with events (6.1 %); 4 in flight on 2 workers, 10 rounds.
  strategy       instances     RPS    P50    P90    P95    P99  average  client P50  client P99
  -------------  ---------  ------  -----  -----  -----  -----  -------  ----------  ----------
  baseline       fresh         812  2,403  3,605  4,806  9,613    3,004       4,806      12,016
  keyset         fresh      68,236   20.0   30.1   40.1   80.2     25.0        40.1         100
  native-keyset  none       81,000   17.0   25.5   34.0   68.0     21.2        34.0        85.0

  of ÷ to                     RPS               by round         95 %     P50                  by round  95 %     P95     P99
  ------------------------  -----  ---------------------  -----------  ------  ------------------------  ----  ------  ------
  keyset ÷ baseline          84.0     75.6 / 84.0 / 92.4    79.8–88.2  0.0161  0.0145 / 0.0161 / 0.0177     -  0.0161  0.0323
  native-keyset ÷ baseline   99.7      89.7 / 99.7 / 110     94.7–105  0.0143  0.0129 / 0.0143 / 0.0157     -  0.0143  0.0286
  keyset ÷ native-keyset    0.842  0.758 / 0.842 / 0.926  0.800–0.884    1.17        1.05 / 1.17 / 1.29     -    1.17    2.34

  Of a native strategy, whose calls cross no boundary, host calls are part of guest.
  µs a page      queue  snapshot  instantiate  guest  host calls  check  payloads  render  other
  -------------  -----  --------  -----------  -----  ----------  -----  --------  ------  -----
  baseline           0         0            0  2,403           0      0         0       0      0
  keyset             0         0            0   20.0           0      0         0       0      0
  native-keyset      0         0            0   17.0           0      0         0       0      0

How it was measured
  Times in µs. P50 to average are of service time; client is what a client sees, time in queue included. Ratios are of ÷ to; by round: smallest, median and
  largest of the rounds; 95 %: where the ratio of the rounds' means lies.
  processor          AMD EPYC, 2 cores, x86_64
  memory             24.0 GiB
  system             linux 6.18
  began              2026-01-02T03:04:05Z
  load average       0.25 before, unknown after
  page cache         as it was found
  versions           keyhole 0.1.0, wasmtime 48.0.8
  digests (SHA-256)  program abc
  settings           10 rounds, 100 requests of warm-up, seed 1337
  log                data: 50,000 events, database 6.00 MiB, payloads 55.0 MiB
";
        assert_eq!(said(&result(vec![contract()])), expected);
    }

    #[test]
    fn a_sweep_shows_each_point_and_sets_it_against_the_first() {
        let said = said(&depth());
        for words in [
            "Sweep depth\n  1,000 requests at each point; 4 in flight on 2 workers, 10 rounds.",
            "page 1000  ./mine.wasm  fresh         833  1,200  1,800  2,400  4,800    1,500       2,400       6,000   61 (6.1 %)",
            "page 1     ./mine.wasm ÷ keyset   0.667",
            "depth: each point against the first\n",
            "./mine.wasm  page 1000 ÷ page 1  1.00",
        ] {
            assert!(said.contains(words), "{words:?} is not in {said}");
        }
    }

    #[test]
    fn what_the_newer_side_lost_is_said_and_so_is_that_it_lost_nothing() {
        let lost = MixResult {
            results: vec![side("baseline", 100.0, 10.0), side("keyset", 105.0, 12.0)],
            ratios: vec![ratio("keyset", "baseline", 1.05, 0.8)],
            non_empty: 1_000,
            ..contract()
        };
        let text = said(&result(vec![lost.clone()]));
        let line = "- On contract, keyset lost to baseline: 0.95 times the requests per second in its worst \
                    round, 1.60 times the P99, 1.20 times the P99";
        assert!(text.contains(line) && !text.contains("says little about reading"), "{text}");

        let won = said(&result(vec![MixResult { non_empty: 1_000, ..contract() }]));
        assert!(won.contains("- The newer side lost in no measure of any mix"), "{won}");

        let one = MixResult { results: vec![side("baseline", 100.0, 10.0)], ratios: vec![], ..lost };
        let text = said(&result(vec![one]));
        assert!(text.contains("Nothing was set against another strategy."), "{text}");
        assert!(!text.contains("÷ baseline") && !text.contains("What the swap would buy"), "{text}");
    }

    #[test]
    fn a_page_draws_each_mix_and_sweep_with_one_colour_a_strategy() {
        let result = depth();
        let document = document(&[("run".into(), &result)]);
        let headings: Vec<&str> = document.sections.iter().map(|section| section.heading.as_str()).collect();
        assert_eq!(headings, ["What it comes to", "Mix contract", "Sweep depth", "How it was measured"]);
        assert!(
            text(&document, 300, false).contains("80.2 µs at P98.75"),
            "the curve ends with its requests"
        );
        let page = html(&document);
        // Two percentile plots and three of the sweep, each for wide and for narrow screens.
        assert_eq!(page.matches("<svg class=\"plot").count(), 10);
        assert_eq!(page.matches("Nothing was measured").count(), 0);
        assert!(!page.contains("<script") && !page.contains("://"), "it asks nobody for anything");

        let colours = Colours::of(std::iter::once(&result));
        assert_eq!(["baseline", "keyset", "./mine.wasm"].map(|name| colours.get(name)), [0, 1, 7]);
        for (name, colour, plots) in [("baseline", 0, 2), ("keyset", 1, 5), ("./mine.wasm", 7, 3)] {
            let line = format!("<line class=\"line c{colour}\" x1=\"0\" x2=\"22\" y1=\"6\" y2=\"6\"></line>");
            let key = format!("</line></svg> {name}</span>");
            let coloured = format!("{line}</svg> {name}</span>");
            assert_eq!(
                (page.matches(&key).count(), page.matches(&coloured).count()),
                (plots, plots),
                "{name}"
            );
        }
    }

    #[test]
    fn several_results_are_set_against_the_first() {
        let (one, mut two) = (result(vec![contract()]), result(vec![contract()]));
        two.mixes.iter_mut().flat_map(|mix| &mut mix.results).for_each(|side| side.p50_us *= 2.0);
        let said = text(&document(&[("old".into(), &one), ("new".into(), &two)]), 300, false);
        let mut rows = said.lines().filter(|line| line.contains("contract") && line.contains("keyset"));
        assert!(rows.any(|row| row.contains("new") && row.contains("1.00  2.00")), "{said}");
        assert!(said.contains("Benchmark: old, new") && said.contains("new: Mix contract"));
    }
}

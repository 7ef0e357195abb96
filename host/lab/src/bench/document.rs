//! Results as a document: the same figures as the text report, with plots.

use super::phases::PHASES;
use super::plan::{Axis, Kind};
use super::report::shares;
use super::result::{BenchResult, MixResult, StrategyResult};
use super::run::float;
use super::sweep::SweepResult;
use super::verdict;
use crate::report::{Block, Cell, Document, Plot, Scale, ScaleKind, Section, Series, Stack, Stacks};
use crate::units::{figure, grouped, percent};

/// A figure of a strategy's result.
type Measured = fn(&StrategyResult) -> f64;

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

/// The document of one or several results, each with its name.
pub fn document(results: &[(String, BenchResult)]) -> Document {
    let names: Vec<&str> = results.iter().map(|(name, _)| name.as_str()).collect();
    let colours = Colours::of(results.iter().map(|(_, result)| result));
    let mut sections = Vec::new();
    for (name, result) in results {
        let prefix = if results.len() > 1 { format!("{name}: ") } else { String::new() };
        let own = result.mixes.iter().filter(|mix| mix.point.is_none()).map(|mix| mix_section(mix, &colours));
        let sweeps = result.sweeps.iter().map(|sweep| sweep_section(result, sweep, &colours));
        let all = [verdicts(result)].into_iter().chain(own).chain(sweeps).chain([conditions(result)]);
        sections.extend(
            all.map(|section| Section { heading: format!("{prefix}{}", section.heading), ..section }),
        );
    }
    if results.len() > 1 {
        sections.push(compared(results));
    }
    Document { title: format!("Benchmark: {}", names.join(", ")), verdict: None, sections }
}

/// Which strategy has which colour.
struct Colours<'a>(Vec<&'a str>);

impl<'a> Colours<'a> {
    fn of(results: impl Iterator<Item = &'a BenchResult>) -> Self {
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

fn verdicts(result: &BenchResult) -> Section {
    let cells = |lines: Vec<String>| lines.into_iter().map(Cell::from).collect();
    let (bought, against) = (verdict::bought(result), verdict::against(result));
    let mut section = Section::new("What it comes to");
    for (title, lines) in [("What the swap would buy:", bought), ("What speaks against it:", against)] {
        if !lines.is_empty() {
            section = section.with(Block::text(title)).with(Block::List(cells(lines)));
        }
    }
    if section.blocks.is_empty() {
        let what = if result.sweeps.is_empty() {
            "Nothing was set against another strategy."
        } else {
            "Each sweep says below how its points differ."
        };
        section = section.with(Block::text(what));
    }
    section
}

fn mix_section(mix: &MixResult, colours: &Colours<'_>) -> Section {
    let told = format!(
        "{} requests, {} of them with events ({}); {}.",
        grouped(mix.requests as u64),
        grouped(mix.non_empty),
        percent(float(mix.non_empty), float(mix.requests as u64)),
        mix.load.words()
    );
    let curves = [
        ("service time by percentile", Measure { of: |side| &side.curve }),
        (
            "latency by percentile: what a client sees, time in queue included",
            Measure { of: |side| &side.latency_curve },
        ),
    ];
    let mut section =
        Section::new(format!("Mix {}", mix.mix)).with(Block::text(told)).with(rates(mix, colours));
    for (title, measure) in curves {
        section = section.with(curve(mix, title, &measure, colours));
    }
    section
        .with(phases(mix))
        .with(Block::text(
            "Of a native strategy, whose calls cross no boundary, host calls are part of guest.",
        ))
        .with(phase_times(mix))
        .with(figures(mix))
        .with(ratios(mix))
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

struct Measure {
    of: fn(&StrategyResult) -> &Vec<[f64; 2]>,
}

fn curve(mix: &MixResult, title: &str, measure: &Measure, colours: &Colours<'_>) -> Block {
    let series = mix.results.iter().map(|side| {
        // The slowest of n requests tells nothing of what lies above 1 − 1/n: there the curve ends.
        let end = 1.0 - 0.5 / float(side.count.max(1));
        let points = (measure.of)(side).iter().map(|&[quantile, micros]| (quantile.min(end), micros));
        Series { name: side.strategy.clone(), colour: colours.get(&side.strategy), points: points.collect() }
    });
    Block::Plot(Plot {
        title: format!("{}: {title}", mix.mix),
        x: Scale { label: "percentile, on the axis 1/(1 − p)".to_owned(), kind: ScaleKind::Tail },
        y: micros(),
        series: series.collect(),
    })
}

fn micros() -> Scale {
    Scale { label: "µs".to_owned(), kind: ScaleKind::Log }
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
    let phases: Vec<String> = PHASES.iter().map(|phase| format!("#{phase}")).collect();
    let head: Vec<&str> = std::iter::once("µs a page").chain(phases.iter().map(String::as_str)).collect();
    let row = |side: &StrategyResult| {
        let times = side.phases_us.to_array().map(figure);
        std::iter::once(side.strategy.clone()).chain(times).map(Cell::from).collect()
    };
    Block::table(&head, mix.results.iter().map(row).collect())
}

fn figures(mix: &MixResult) -> Block {
    let head = [
        "strategy",
        "instances",
        "#RPS",
        "#P50",
        "#P90",
        "#P95",
        "#P99",
        "#average",
        "#client P50",
        "#client P99",
    ];
    let row = |side: &StrategyResult| {
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
        let names = [side.strategy.clone(), side.instances.clone()];
        names.into_iter().chain(numbers.map(figure)).map(Cell::from).collect()
    };
    Block::table(&head, mix.results.iter().map(row).collect())
}

const RATIO_HEAD: [&str; 9] =
    ["of ÷ to", "#RPS", "#by round", "#95 %", "#P50", "#by round", "#95 %", "#P95", "#P99"];

fn ratios(mix: &MixResult) -> Block {
    let rows = mix.ratios.iter().map(|ratio| {
        let name = format!("{} ÷ {}", ratio.of, ratio.to);
        std::iter::once(name).chain(shares(ratio)).map(Cell::from).collect()
    });
    Block::table(&RATIO_HEAD, rows.collect())
}

fn sweep_section(result: &BenchResult, sweep: &SweepResult, colours: &Colours<'_>) -> Section {
    let mixes: Vec<&MixResult> =
        sweep.mixes.iter().filter_map(|name| result.mixes.iter().find(|mix| mix.mix == *name)).collect();
    let (mut section, rps) =
        (Section::new(format!("Sweep {}", sweep.sweep)), |side: &StrategyResult| side.rps);
    let p50 = |side: &StrategyResult| side.p50_us;
    let p99 = |side: &StrategyResult| side.p99_us;
    if let Some(mix) = mixes.first() {
        let requests = grouped(mix.requests as u64);
        section =
            section.with(Block::text(format!("{requests} requests at each point; {}.", mix.load.words())));
    }
    let per_second = || Scale { label: "requests per second".to_owned(), kind: ScaleKind::Log };
    let plots: [(&str, Measured, Scale); 3] = [
        ("service time, P50", p50, micros()),
        ("service time, P99", p99, micros()),
        ("requests per second", rps, per_second()),
    ];
    for (title, of, y) in plots {
        let title = format!("{}: {title}", sweep.sweep);
        section = section.with(Block::Plot(Plot {
            title,
            x: along(sweep.axis, &mixes),
            y,
            series: lines(&mixes, of, colours),
        }));
    }
    let rows = mixes.iter().flat_map(|mix| {
        let label = mix.point.as_ref().map_or(mix.mix.as_str(), |point| &point.label);
        mix.results.iter().map(move |side| {
            let numbers =
                [side.rps, side.p50_us, side.p90_us, side.p99_us, side.latency_p50_us, side.latency_p99_us];
            let non_empty = percent(float(mix.non_empty), float(mix.requests as u64));
            let texts = [label.to_owned(), side.strategy.clone()];
            texts.into_iter().chain(numbers.map(figure)).chain([non_empty]).map(Cell::from).collect()
        })
    });
    let head =
        ["point", "strategy", "#RPS", "#P50", "#P90", "#P99", "#client P50", "#client P99", "#with events"];
    section = section.with(Block::table(&head, rows.collect()));
    let rows = sweep.steps.iter().map(|step| {
        let names = [step.strategy.clone(), format!("{} ÷ {}", step.ratio.of, step.ratio.to)];
        names.into_iter().chain(shares(&step.ratio)).map(Cell::from).collect()
    });
    let head: Vec<&str> = std::iter::once("strategy").chain(RATIO_HEAD).collect();
    section.with(Block::table(&head, rows.collect()))
}

fn along(axis: Axis, mixes: &[&MixResult]) -> Scale {
    let label = axis.words().to_owned();
    let words = |mix: &&MixResult| mix.point.as_ref().map(|point| point.label.clone()).unwrap_or_default();
    match axis {
        Axis::Filter => Scale { label, kind: ScaleKind::Places(mixes.iter().map(words).collect()) },
        _ => Scale { label, kind: ScaleKind::Log },
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

fn conditions(result: &BenchResult) -> Section {
    let machine = &result.machine;
    let list = |pairs: &std::collections::BTreeMap<String, String>| {
        pairs.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    };
    let load = |load: Option<f64>| load.map_or("unknown".to_owned(), |load| format!("{load:.2}"));
    let mebibytes = |bytes: u64| figure(float(bytes) / float(1 << 20));
    let mut pairs = vec![
        ("processor", format!("{}, {} cores, {}", machine.cpu, machine.cores, machine.arch)),
        ("memory", format!("{} MiB", mebibytes(machine.memory_bytes))),
        ("system", machine.kernel.clone()),
        ("began", result.conditions.started.clone()),
        (
            "load average",
            format!(
                "{} before, {} after",
                load(result.conditions.load_before),
                load(result.conditions.load_after)
            ),
        ),
        ("page cache", result.conditions.page_cache.clone()),
        ("versions", list(&result.versions)),
        ("digests (SHA-256)", list(&result.digests)),
        (
            "settings",
            format!(
                "{} rounds, {} requests of warm-up, seed {}",
                result.settings.rounds, result.settings.warmup, result.settings.seed
            ),
        ),
    ];
    for log in &result.logs {
        let (database, payloads) = (mebibytes(log.database_bytes), mebibytes(log.payload_bytes));
        let rows = grouped(log.rows);
        pairs.push((
            "log",
            format!("{}: {rows} events, database {database} MiB, payloads {payloads} MiB", log.name),
        ));
    }
    let note = "Times in µs. P50 to average are of service time; client is what a client sees, time in queue \
                included. Ratios are of ÷ to; by round: smallest, median and largest of the rounds; 95 %: where \
                the ratio of the rounds' means lies.";
    let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), Cell::from(value)));
    Section::new("How it was measured").with(Block::text(note)).with(Block::KeyValues(pairs.collect()))
}

/// The same mix and strategy in several results, each against the first: the runs were not interleaved.
fn compared(results: &[(String, BenchResult)]) -> Section {
    let mut rows = Vec::new();
    for mix in results.first().map(|(_, first)| first.mixes.as_slice()).unwrap_or_default() {
        for side in &mix.results {
            for (name, result) in results.iter().skip(1) {
                let same = result.mixes.iter().find(|other| other.mix == mix.mix);
                let same =
                    same.and_then(|mix| mix.results.iter().find(|other| other.strategy == side.strategy));
                rows.extend(same.map(|other| {
                    let ratios =
                        [other.rps / side.rps, other.p50_us / side.p50_us, other.p99_us / side.p99_us];
                    let texts = [mix.mix.clone(), side.strategy.clone(), name.clone()];
                    texts.into_iter().chain(ratios.map(figure)).map(Cell::from).collect()
                }));
            }
        }
    }
    let first = results.first().map(|(name, _)| name.as_str()).unwrap_or_default();
    let note = format!(
        "Each run's figures divided by those of {first}. They ran one after another, so what the \
                        machine did meanwhile is part of the difference."
    );
    let head = ["mix", "strategy", "run", "#RPS", "#P50", "#P99"];
    Section::new("The runs compared").with(Block::text(note)).with(Block::table(&head, rows))
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;

//! The result as people read it: tables in plain characters, then words.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::ratio::Ratio;
use super::result::{BenchResult, MixResult, Settings, StrategyResult};
use super::run::float;
use super::sweep::SweepResult;
use super::verdict;
use crate::units::{figure, grouped, percent};

/// One rule below the header: reads alike in a terminal, a log, and a code block of a README.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('-').junction('-'));

/// The whole report, ending with a newline.
pub fn render(result: &BenchResult) -> String {
    let mut blocks = vec![place(result)];
    for mix in &result.mixes {
        blocks.push(format!("{}\n{}", heading(mix, &result.settings), figures(&mix.results)));
        if !mix.ratios.is_empty() {
            blocks.push(ratios(&mix.ratios));
        }
    }
    for sweep in &result.sweeps {
        blocks.push(format!("{}: each point against the first\n{}", sweep.sweep, steps(sweep)));
    }
    blocks.push(
        "Times in µs. P50 to average are of service time; client is what a client sees, time in \
         queue included.\nRatios are of ÷ to; by round: smallest, median and largest of the rounds; 95 %: \
         where the ratio of the rounds' means lies."
            .into(),
    );
    for (title, lines) in [
        ("What the swap would buy", verdict::bought(result)),
        ("What speaks against it", verdict::against(result)),
    ] {
        if !lines.is_empty() {
            blocks.push(format!("{title}\n- {}", lines.join("\n- ")));
        }
    }
    blocks.join("\n\n") + "\n"
}

/// Machine and versions, a line each.
fn place(result: &BenchResult) -> String {
    let machine = &result.machine;
    let memory = float(machine.memory_bytes) / float(1 << 30);
    let cores = if machine.cores == 1 { "core" } else { "cores" };
    let mut text = format!(
        "{}, {} {cores}, {memory:.1} GiB, {}, {}",
        machine.cpu, machine.cores, machine.kernel, machine.arch
    );
    let versions: Vec<String> =
        result.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    if !versions.is_empty() {
        text = format!("{text}\n{}", versions.join(", "));
    }
    text
}

fn heading(mix: &MixResult, settings: &Settings) -> String {
    let requests = mix.requests as u64;
    format!(
        "{}: {} requests, {} of them with events ({}); {}, {} rounds",
        mix.mix,
        grouped(requests),
        grouped(mix.non_empty),
        percent(float(mix.non_empty), float(requests)),
        mix.load.words(),
        settings.rounds.min(mix.requests),
    )
}

fn figures(results: &[StrategyResult]) -> String {
    let head =
        ["strategy", "instances", "RPS", "P50", "P90", "P95", "P99", "average", "client P50", "client P99"];
    let rows = results.iter().map(|side| {
        let mut row = vec![side.strategy.clone(), side.instances.clone()];
        row.extend(
            [
                side.rps,
                side.p50_us,
                side.p90_us,
                side.p95_us,
                side.p99_us,
                side.avg_us,
                side.latency_p50_us,
                side.latency_p99_us,
            ]
            .map(figure),
        );
        row
    });
    table(&head, 2, rows)
}

fn ratios(ratios: &[Ratio]) -> String {
    let head = ["of ÷ to", "RPS", "by round", "95 %", "P50", "by round", "95 %", "P95", "P99"];
    let rows = ratios.iter().map(|ratio| {
        let names = vec![format!("{} ÷ {}", ratio.of, ratio.to)];
        [names, shares(ratio)].concat()
    });
    table(&head, 1, rows)
}

fn steps(sweep: &SweepResult) -> String {
    let head = ["strategy", "of ÷ to", "RPS", "by round", "95 %", "P50", "by round", "95 %", "P95", "P99"];
    let rows = sweep.steps.iter().map(|step| {
        let names = vec![step.strategy.clone(), format!("{} ÷ {}", step.ratio.of, step.ratio.to)];
        [names, shares(&step.ratio)].concat()
    });
    table(&head, 2, rows)
}

/// A ratio's figures from requests per second to the 99th percentile.
pub(super) fn shares(ratio: &Ratio) -> Vec<String> {
    let spread = |figures: [f64; 3]| figures.map(figure).join(" / ");
    vec![
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

/// An interval: `0.21–0.25`.
pub(super) fn within(interval: Option<[f64; 2]>) -> String {
    interval.map_or("-".into(), |ends| ends.map(figure).join("–"))
}

/// The first `names` columns are text, the others numbers.
fn table(head: &[&str], names: usize, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(head.to_vec()).add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((u16::from(at > 0), 0));
        if at >= names {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;

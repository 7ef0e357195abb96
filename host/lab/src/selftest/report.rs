//! What a self-test found, as data and as a table.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use serde::Serialize;

use crate::selftest::run::Outcome;

/// One rule below the header: reads alike in a terminal, a log, and a code block.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('-').junction('-'));

/// One row: a limit, and what came of the attack on it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The limit, rule or check that has to strike.
    pub limit: String,
    /// The strategy that reaches for it.
    pub strategy: String,
    /// What was observed.
    pub observed: Vec<String>,
    /// What had to be.
    pub expected: Vec<String>,
    /// Whether it was that.
    pub fired: bool,
    /// How long the attack lasted.
    pub took_ms: f64,
    /// The limit's own value, where that is a time.
    pub budget_ms: Option<u64>,
    /// How much longer than that the attack lasted.
    pub beyond_ms: Option<f64>,
    /// The error's words.
    pub detail: String,
}

impl Row {
    /// The row of an attack that came to an end, or, with the reason, of one that did not.
    pub fn new(limit: String, strategy: &str, expected: &[&str], outcome: Result<Outcome, String>) -> Self {
        let outcome = outcome.unwrap_or_else(|lost| Outcome {
            observed: vec![lost],
            as_expected: false,
            detail: String::new(),
            took_ms: 0.0,
            budget_ms: None,
        });
        #[expect(clippy::cast_precision_loss, reason = "a limit in milliseconds is small")]
        let beyond_ms = outcome.budget_ms.map(|budget| (outcome.took_ms - budget as f64).max(0.0));
        Self {
            limit,
            strategy: strategy.to_owned(),
            observed: outcome.observed,
            expected: expected.iter().map(|&word| word.to_owned()).collect(),
            fired: outcome.as_expected,
            took_ms: outcome.took_ms,
            budget_ms: outcome.budget_ms,
            beyond_ms,
            detail: outcome.detail,
        }
    }
}

/// The whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether every limit struck as it must.
    pub sound: bool,
    /// Whether only one attack on each limit was played.
    pub quick: bool,
    /// Limits that no attack reaches for: nothing is known of them.
    pub uncovered: Vec<String>,
    /// Limits that did not strike.
    pub decorative: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// Each attack.
    pub rows: Vec<Row>,
}

impl Report {
    /// Sums up the rows.
    pub fn of(rows: Vec<Row>, uncovered: Vec<String>, quick: bool, seconds: f64) -> Self {
        let mut decorative: Vec<String> =
            rows.iter().filter(|row| !row.fired).map(|row| row.limit.clone()).collect();
        decorative.sort_unstable();
        decorative.dedup();
        let sound = decorative.is_empty() && uncovered.is_empty();
        Self { sound, quick, uncovered, decorative, seconds, rows }
    }
}

/// The report for people.
pub fn render(report: &Report) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(["limit", "tripped by", "observed", "expected", "contained after", "beyond its budget"]);
    for row in &report.rows {
        let words =
            |words: &[String]| if words.is_empty() { "the right page".to_owned() } else { words.join(", ") };
        let expected =
            if row.fired { "as expected".to_owned() } else { format!("NOT: {}", row.expected.join(" or ")) };
        let beyond = row.beyond_ms.map_or_else(|| "-".to_owned(), |beyond| format!("{beyond:.1} ms"));
        let after = format!("{:.1} ms", row.took_ms);
        table.add_row([
            row.limit.clone(),
            row.strategy.clone(),
            words(&row.observed),
            expected,
            after,
            beyond,
        ]);
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((u16::from(at > 0), 1));
        if at >= 4 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text + "\n" + &verdict(report)
}

fn verdict(report: &Report) -> String {
    let mut text = String::new();
    let mut say = |line: String| text.push_str(&(line + "\n"));
    let fired = report.rows.iter().filter(|row| row.fired).count();
    say(format!("{fired} of {} attacks ended as they must, in {:.1} s", report.rows.len(), report.seconds));
    for row in report.rows.iter().filter(|row| !row.fired) {
        say(format!("{} did not stop {}: {}", row.limit, row.strategy, row.detail));
    }
    if !report.decorative.is_empty() {
        say(format!("decorative: {}", report.decorative.join(", ")));
    }
    if !report.uncovered.is_empty() {
        say(format!("not covered by any attack: {}", report.uncovered.join(", ")));
    }
    say(if report.sound { "sound: every limit strikes on this machine" } else { "unsound" }.to_owned());
    text
}

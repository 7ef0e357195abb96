//! A comparison for people: the judgement first, then why, then what changed, area by area.

use crate::report::{Block, Cell, Document, Level, Section, Verdict};
use keyhole_lab::audit::facts::Who;
use keyhole_lab::diff::{Answers, Area, Change, CostChange, Diff, Judgement, Kind};
use keyhole_log::units::grouped;

/// Changes of an area that are shown; the others are counted.
const MOST: usize = 40;

/// Reasons that stand with the verdict.
const REASONS: usize = 5;

/// The areas in the order in which an operator asks, with the questions.
const AREAS: [(Area, &str); 8] = [
    (Area::Identity, "Who is it?"),
    (Area::Imports, "What does it import?"),
    (Area::Grants, "What is it granted?"),
    (Area::Use, "What does it touch?"),
    (Area::Statements, "Which statements does it run?"),
    (Area::Cost, "What does it cost?"),
    (Area::Answers, "Does it answer alike?"),
    (Area::Findings, "What did the audits find?"),
];

/// The comparison as a report.
pub fn document(diff: &Diff) -> Document {
    let mut sections = vec![who(diff)];
    for (area, question) in AREAS {
        let changes: Vec<&Change> = diff.changes.iter().filter(|change| change.area == area).collect();
        let mut section = Section::new(question);
        if !changes.is_empty() {
            section = section.with(Block::List(listed(&changes)));
        }
        if area == Area::Cost && !diff.costs.is_empty() {
            section = section.with(costs(&diff.costs));
        }
        if !section.blocks.is_empty() {
            sections.push(section);
        }
    }
    if !diff.limitations.is_empty() {
        let limitations = diff.limitations.iter().map(|text| Cell::from(text.as_str())).collect();
        sections.push(Section::new("What can this comparison not tell?").with(Block::List(limitations)));
    }
    Document {
        title: format!("{}: {} in place of {}", judgement(diff.judgement), diff.new.name, diff.old.name),
        verdict: Some(verdict(diff)),
        sections,
    }
}

fn judgement(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Better => "better",
        Judgement::Same => "the same",
        Judgement::Worse => "worse",
        Judgement::Unknown => "not known whether better or worse",
    }
}

/// Whether the new one's answers are right.
fn new_answers(diff: &Diff) -> Cell {
    let reference = diff.new_answers.reference.as_deref().unwrap_or("a reference");
    let pages = grouped(diff.new_answers.pages);
    let is_worse = diff.answers == Answers::Different;
    match diff.new_answers.right {
        Some(true) => {
            Cell::good(format!("the new answers are right: equal to those of {reference} on {pages} pages"))
        }
        Some(false) => {
            let level = if is_worse { Level::Bad } else { Level::Warn };
            Cell::new(level, format!("the new answers are wrong: not equal to those of {reference}"))
        }
        None => {
            Cell::warn("whether the new answers are right is not known: no page with an event was compared")
        }
    }
}

fn verdict(diff: &Diff) -> Verdict {
    let widens = if diff.widens { "it widens" } else { "it does not widen" };
    let answers = match diff.answers {
        Answers::Same => "it answers alike",
        Answers::Different => "it answers otherwise",
        Answers::Unknown => "whether it answers alike is not known",
    };
    let dearer = if diff.dearer { "it is dearer" } else { "it is not dearer" };
    let level = match (diff.acceptable, diff.dearer) {
        (true, false) => Level::Good,
        (false, _) if diff.judgement == Judgement::Worse => Level::Bad,
        _ => Level::Warn,
    };
    let mut weighty: Vec<&Change> =
        diff.changes.iter().filter(|change| change.kind <= Kind::Dearer).collect();
    weighty.sort_by_key(|change| change.kind);
    let mut reasons: Vec<Cell> = weighty.iter().take(REASONS).map(|change| cell(change)).collect();
    if weighty.len() > REASONS {
        reasons.push(format!("and {} more, below", weighty.len() - REASONS).into());
    }
    if diff.is_unfit {
        let level = if diff.judgement == Judgement::Worse { Level::Bad } else { Level::Warn };
        reasons.insert(0, Cell::new(level, "its audit calls the new one unfit"));
    }
    reasons.insert(0, new_answers(diff));
    if diff.same_component {
        reasons.push("both are the same component, byte for byte".into());
    }
    Verdict { level, words: format!("{widens}; {answers}; {dearer}"), reasons }
}

fn who(diff: &Diff) -> Section {
    let digest = |who: &Who| who.digest.clone().unwrap_or_else(|| "none".to_owned());
    let bytes = |who: &Who| who.bytes.map(|bytes| format!("{} bytes", grouped(bytes))).unwrap_or_default();
    let row = |name: &str, who: &Who| {
        vec![name.into(), who.name.as_str().into(), digest(who).into(), bytes(who).into()]
    };
    let rows = vec![row("old", &diff.old), row("new", &diff.new)];
    Section::new("Which two?").with(Block::table(&["", "strategy", "digest", "#size"], rows))
}

fn listed(changes: &[&Change]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = changes.iter().take(MOST).map(|change| cell(change)).collect();
    if changes.len() > MOST {
        cells.push(format!("and {} more: --json has them all", changes.len() - MOST).into());
    }
    cells
}

fn cell(change: &Change) -> Cell {
    Cell::new(level(change.kind), change.what.as_str())
}

fn level(kind: Kind) -> Level {
    match kind {
        Kind::Widened | Kind::Differs => Level::Bad,
        Kind::Dearer => Level::Warn,
        Kind::Changed => Level::Plain,
        Kind::Cheaper | Kind::Narrowed | Kind::Mended => Level::Good,
    }
}

fn costs(costs: &[CostChange]) -> Block {
    let rows = costs.iter().map(|cost| {
        let [steps_before, steps_after] = cost.vm_steps;
        let [us_before, us_after] = cost.us;
        let fuel = |at: usize| cost.fuel.map_or_else(String::new, |fuel| grouped(fuel[at]));
        let kind = cost.kind.map_or(Level::Plain, level);
        vec![
            cost.filter.as_str().into(),
            cost.log.as_str().into(),
            grouped(cost.page).into(),
            grouped(steps_before).into(),
            Cell::new(kind, grouped(steps_after)),
            fuel(0).into(),
            fuel(1).into(),
            format!("{us_before:.0}").into(),
            format!("{us_after:.0}").into(),
        ]
    });
    let headings = ["filter", "log", "#page", "#steps", "#after", "#fuel", "#after", "#µs", "#after"];
    Block::table(&headings, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{html, text};

    #[test]
    fn the_verdict_stands_first_and_hostile_text_is_escaped() {
        let mut audit: serde_json::Value =
            serde_json::from_str(include_str!("../../../../../tests/data/audit.json")).unwrap();
        let old = serde_json::from_value(audit.clone()).unwrap();
        audit["used"]["statements"][0]["sql"] = "SELECT 1 -- \u{1b}[2J<script>".into();
        audit["may"]["imported"] = vec!["evil\u{202e}:x/y"].into();
        audit["cost"][0]["vm_steps"] = 5000.into();
        let diff = keyhole_lab::diff::run(&old, &serde_json::from_value(audit).unwrap());
        let shown = text(&document(&diff), 100, false);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].starts_with("worse: "), "{shown}");
        assert_eq!(lines[2], "✗ it widens; it answers alike; it is dearer");
        assert!(lines[3].contains("✓ the new answers are right: equal to those of "), "{shown}");
        assert!(lines[4].contains("✗ imports evil\\u{202e}:x/y"), "{shown}");
        assert!(shown.contains("-- \\u{1b}[2J<script>"), "{shown}");
        assert!(!html(&document(&diff)).contains("<script"));
    }
}

//! An audit as a document: the verdict first, then six questions.

use super::facts::{Audit, Cost, Determinism, Finding, Severity, Signature, Statement, StreamFacts, Verdict};
use super::findings::{Question, kind};
use crate::report::{Block, Cell, Document, Level, Section};

/// Statements that the screen shows; a saved audit holds all of them.
const SHOWN_STATEMENTS: usize = 6;

/// Notes and denials that it shows.
const SHOWN: usize = 4;

/// The screen.
pub fn document(audit: &Audit) -> Document {
    Document {
        title: format!("audit of {}", audit.strategy.name),
        verdict: Some(verdict(audit)),
        sections: vec![who(audit), may(audit), did(audit), right(audit), cost(audit), unseen(audit)],
    }
}

fn verdict(audit: &Audit) -> crate::report::Verdict {
    let (level, words) = match audit.verdict {
        Verdict::Fit => (Level::Good, "fit"),
        Verdict::FitWithWarnings => (Level::Warn, "fit, with warnings"),
        Verdict::Unfit => (Level::Bad, "unfit"),
    };
    let reasons =
        audit.findings.iter().filter(|finding| finding.severity > Severity::Low).map(|finding| {
            Cell::new(level_of(finding.severity), format!("{}: {}", finding.code, finding.what))
        });
    crate::report::Verdict { level, words: words.to_owned(), reasons: reasons.collect() }
}

fn who(audit: &Audit) -> Section {
    let who = &audit.strategy;
    let mut facts: Vec<(String, Cell)> = Vec::new();
    let mut fact = |name: &str, cell: Cell| facts.push((name.to_owned(), cell));
    fact(
        "digest",
        who.digest.clone().unwrap_or_else(|| "none: it is plain Rust inside this program".to_owned()).into(),
    );
    if let Some(bytes) = who.bytes {
        fact("size", format!("{bytes} bytes, {} core modules", who.core_modules).into());
    }
    fact(
        "signature",
        match &who.signature {
            Signature::None => Cell::warn("none"),
            Signature::BuiltIn => Cell::good("part of this program"),
            Signature::Digest => Cell::good("its digest is in the policy"),
            Signature::Key(name) => Cell::good(format!("key {name} of the policy")),
        },
    );
    if let Some(world) = &who.world {
        fact("world", world.clone().into());
    }
    if !who.producers.is_empty() {
        fact("claims", who.producers.join(", ").into());
    }
    section(audit, Question::Who).with(Block::KeyValues(facts))
}

fn may(audit: &Audit) -> Section {
    let section = section(audit, Question::May);
    let may = &audit.may;
    let imported: Vec<&str> =
        may.imported.iter().map(|import| super::totals::interface(import).unwrap_or(import)).collect();
    let imported: Vec<&str> = imported.into_iter().filter(|name| *name != "types").collect();
    if audit.reference.is_none() {
        return section.with(Block::KeyValues(vec![("imported".to_owned(), imported.join(", ").into())]));
    }
    let used = &audit.used;
    let row = |what: &str, imported: String, granted: &[String], used: &[String]| {
        vec![what.into(), imported.into(), granted.join(", ").into(), used.join(", ").into()]
    };
    let dash = || "-".to_owned();
    let rows = vec![
        row("interfaces", imported.join(", "), &may.interfaces, &used.interfaces),
        row("columns", dash(), &may.columns, &used.columns),
        row("functions", dash(), &may.functions, &used.functions),
        row("WASI", wasi(&may.imported), &may.wasi, &[]),
    ];
    section.with(Block::table(&["", "imported", "granted", "used"], rows)).with(Block::KeyValues(vec![
        ("instances".to_owned(), may.instances.clone().into()),
        ("limits".to_owned(), limits(audit).into()),
    ]))
}

fn wasi(imported: &[String]) -> String {
    let outside: Vec<&str> = imported
        .iter()
        .filter(|import| super::totals::interface(import).is_none())
        .map(String::as_str)
        .collect();
    if outside.is_empty() { "none".to_owned() } else { outside.join(", ") }
}

fn limits(audit: &Audit) -> String {
    audit.limits.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

fn did(audit: &Audit) -> Section {
    let section = section(audit, Question::Did);
    let used = &audit.used;
    if used.requests == 0 {
        return section.with(Block::text("Nothing: it did not run."));
    }
    let calls: Vec<String> =
        used.calls.iter().map(|(name, calls)| format!("{name} {}", calls.count)).collect();
    let mut facts = vec![
        ("requests".to_owned(), Cell::from(format!("{}, slices of refreshes included", used.requests))),
        (
            "host calls".to_owned(),
            if calls.is_empty() { "none counted".into() } else { calls.join(", ").into() },
        ),
        ("tables".to_owned(), used.tables.join(", ").into()),
        (
            "payloads".to_owned(),
            format!(
                "{} read by itself, {} bytes into the sandbox, {} of events not shown",
                used.total.payload_reads, used.total.boundary_bytes, used.unshown_payloads
            )
            .into(),
        ),
        (
            "most of one page".to_owned(),
            format!(
                "{} steps, {} rows, {} handles, {} bytes of memory, log locked {} us",
                used.most.vm_steps,
                used.most.rows,
                used.most.handles,
                used.most.memory,
                used.most.log_lock_us
            )
            .into(),
        ),
    ];
    for denial in used.denials.iter().take(SHOWN) {
        let words = format!("{}: {}, {} times", denial.rule, denial.object, denial.count);
        facts.push(("denied".to_owned(), Cell::bad(words)));
    }
    for note in used.notes.iter().take(SHOWN) {
        facts.push(("note".to_owned(), note.clone().into()));
    }
    if let Some(scratch) = &audit.scratch {
        let words = format!(
            "{} events filled in {:.0} ms, {} bytes, {} steps in {} statements, tables {}",
            scratch.events,
            scratch.fill_ms,
            scratch.bytes,
            scratch.vm_steps,
            scratch.statements.len(),
            scratch.tables.join(", ")
        );
        facts.push(("scratch".to_owned(), words.into()));
    }
    section.with(Block::KeyValues(facts)).with(statements(&used.statements))
}

fn statements(statements: &[Statement]) -> Block {
    let rows = statements.iter().take(SHOWN_STATEMENTS).map(|statement| {
        let per_run = statement.vm_steps / statement.runs.max(1);
        vec![
            one_line(&statement.sql).into(),
            statement.plan.join("; ").into(),
            statement.runs.to_string().into(),
            statement.rows.to_string().into(),
            per_run.to_string().into(),
            (statement.full_scan_steps / statement.runs.max(1)).to_string().into(),
        ]
    });
    let rows = rows.collect();
    Block::table(&["statement", "plan", "#runs", "#rows", "#steps a run", "#scanned a run"], rows)
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

fn right(audit: &Audit) -> Section {
    let mut section = section(audit, Question::Right);
    if let Some(correctness) = &audit.correctness {
        let reference = audit.reference.as_deref().unwrap_or_default();
        let words = match (correctness.equal, correctness.bound) {
            (true, Some(bound)) => Cell::good(format!(
                "equal to {reference} in {} pages, {} of them with events, {} events: under 3/{} = {:.2} % of such \
                 pages differ (95 %)",
                correctness.pages,
                correctness.non_empty,
                correctness.events,
                correctness.non_empty,
                bound * 100.0
            )),
            (true, None) => {
                Cell::warn(format!("equal to {reference}, but too few pages held events to tell"))
            }
            (false, _) => Cell::bad(format!("not equal to {reference}")),
        };
        section = section.with(Block::text(words));
        let rows = correctness.streams.iter().map(stream).collect();
        section = section.with(Block::table(&["stream", "#pages", "#with events", "outcome"], rows));
        for stream in correctness.streams.iter().filter(|stream| stream.repeat.is_some()).take(1) {
            section = section.with(Block::Code(stream.repeat.clone().unwrap_or_default()));
        }
    }
    match &audit.determinism {
        Some(facts) => section.with(Block::KeyValues(determinism(facts))),
        None if audit.correctness.is_none() => section.with(Block::text("It answered nothing.")),
        None => section,
    }
}

fn stream(stream: &StreamFacts) -> Vec<Cell> {
    let outcome = match &stream.kind {
        None => Cell::good("equal"),
        Some(kind) => Cell::bad(format!("{kind}: {}", stream.what.as_deref().unwrap_or("it differs"))),
    };
    vec![
        stream.name.clone().into(),
        stream.pages.to_string().into(),
        stream.non_empty.to_string().into(),
        outcome,
    ]
}

fn determinism(facts: &Determinism) -> Vec<(String, Cell)> {
    let same = |same: bool| if same { Cell::good("same") } else { Cell::bad("differs") };
    let mut shown = vec![
        ("another process".to_owned(), same(facts.same_across_processes)),
        (
            "its fuel there".to_owned(),
            if facts.same_fuel_across_processes { Cell::good("same") } else { Cell::warn("differs") },
        ),
        ("a used pool slot".to_owned(), same(facts.same_in_used_slot)),
    ];
    if let Some(refill) = facts.same_after_refill {
        shown.push(("scratch filled anew".to_owned(), same(refill)));
    }
    let warm = if facts.same_when_warm { Cell::good("same") } else { Cell::warn("differs") };
    shown.push(("a warm instance".to_owned(), warm));
    if let Some(first) = &facts.first {
        shown.push(("first difference".to_owned(), first.clone().into()));
    }
    shown.push(("asked each time".to_owned(), format!("{} requests", facts.requests).into()));
    shown
}

fn cost(audit: &Audit) -> Section {
    let section = section(audit, Question::Cost);
    if audit.cost.is_empty() {
        return section.with(Block::text("Nothing was measured."));
    }
    let rows = audit.cost.iter().filter(|cost| cost.log == "whole").map(|cost| {
        let half = audit
            .cost
            .iter()
            .find(|other| other.log == "half" && other.filter == cost.filter && other.page == cost.page);
        point(cost, half)
    });
    let headings =
        ["filter", "#page", "#events", "#steps", "#at half the log", "#fuel", "#at half the log", "#us"];
    section.with(Block::table(&headings, rows.collect()))
}

fn point(cost: &Cost, half: Option<&Cost>) -> Vec<Cell> {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let mut row: Vec<Cell> = vec![cost.filter.clone().into(), cost.page.to_string().into()];
    if let Some(failed) = &cost.failed {
        row.push(Cell::bad(failed.clone()));
        return row;
    }
    row.extend([
        cost.count.to_string().into(),
        cost.vm_steps.to_string().into(),
        number(half.map(|half| half.vm_steps)).into(),
        number(cost.fuel).into(),
        number(half.and_then(|half| half.fuel)).into(),
        format!("{:.0}", cost.us).into(),
    ]);
    row
}

fn unseen(audit: &Audit) -> Section {
    let points = audit.unseen.iter().map(|sentence| Cell::from(sentence.clone())).collect();
    let took = format!(
        "Took {:.1} s on {} events; {}.",
        audit.seconds,
        audit.log.events,
        audit.host.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
    );
    Section::new("What can this audit not tell?").with(Block::List(points)).with(Block::text(took))
}

/// A section with the findings that answer its question.
fn section(audit: &Audit, question: Question) -> Section {
    let section = Section::new(question.words());
    let findings = audit
        .findings
        .iter()
        .filter(|finding| kind(&finding.code).is_some_and(|kind| kind.question == question));
    let points: Vec<Cell> = findings.map(point_of).collect();
    if points.is_empty() { section } else { section.with(Block::List(points)) }
}

fn point_of(finding: &Finding) -> Cell {
    let text = format!("{} ({}): {}; {}", finding.code, finding.severity.name(), finding.what, finding.fix);
    Cell::new(level_of(finding.severity), text)
}

fn level_of(severity: Severity) -> Level {
    match severity {
        Severity::High => Level::Bad,
        Severity::Medium => Level::Warn,
        Severity::Low => Level::Plain,
    }
}

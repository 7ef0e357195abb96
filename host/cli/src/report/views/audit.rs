//! An audit for people: the verdict first, then six questions.

use std::time::Duration;

use crate::report::{self, Block, Cell, Document, Level, Section};
use keyhole_lab::audit::facts::{Audit, Correctness, Cost, Determinism, Finding, Severity};
use keyhole_lab::audit::facts::{Signature, StreamFacts, Used, Verdict};
use keyhole_lab::audit::findings::{Question, kind};
use keyhole_lab::audit::used::interface;
use keyhole_log::ledger::StatementUse;
use keyhole_log::limits::{LIMITS, Unit};
use keyhole_log::units::{float, grouped, time, whole_micros};
use keyhole_log::usage::Amounts;
use keyhole_runtime::policy::number_written;

/// Statements that the screen shows; a saved audit holds all of them.
const SHOWN_STATEMENTS: usize = 6;

/// Notes, denials and violations of the log that it shows.
const SHOWN: usize = 4;

/// The audit as a report.
pub fn document(audit: &Audit) -> Document {
    Document {
        title: format!("audit of {}", audit.strategy.name),
        verdict: Some(verdict(audit)),
        sections: vec![who(audit), may(audit), did(audit), right(audit), cost(audit), limitations(audit)],
    }
}

fn verdict(audit: &Audit) -> report::Verdict {
    let (level, words) = match audit.verdict {
        Verdict::Fit => (Level::Good, "fit: nothing was found that speaks against it"),
        Verdict::FitWithWarnings => {
            (Level::Warn, "fit, with warnings: safe and right as far as this audit can tell; weigh these")
        }
        Verdict::Unfit => (Level::Bad, "unfit: do not let it serve"),
    };
    // Two findings of one observation are one reason.
    let mut reasons: Vec<(Severity, Vec<&str>, &str)> = Vec::new();
    for finding in audit.findings.iter().filter(|finding| finding.severity > Severity::Low) {
        match reasons.iter_mut().find(|(.., what)| *what == finding.what) {
            Some((_, codes, _)) => codes.push(&finding.code),
            None => reasons.push((finding.severity, vec![&finding.code], &finding.what)),
        }
    }
    let reasons = reasons.into_iter().map(|(severity, codes, what)| {
        Cell::new(level_of(severity), format!("{}: {what}", codes.join(", ")))
    });
    let violations = audit.log.violations.iter().take(SHOWN);
    let of_log = violations.map(|what| Cell::bad(format!("the log itself is wrong: {what}")));
    report::Verdict { level, words: words.to_owned(), reasons: reasons.chain(of_log).collect() }
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
        fact("size", format!("{} bytes, {} core modules", grouped(bytes), who.core_modules).into());
    }
    fact(
        "vouched for by",
        match &who.signature {
            Signature::None => Cell::warn("nobody: no policy names its digest or a key that signed it"),
            Signature::BuiltIn => Cell::good("this program: it is part of it"),
            Signature::Digest => Cell::good("the policy: it names this digest"),
            Signature::Key(name) => Cell::good(format!("the policy: its key {name} signed these bytes")),
        },
    );
    if let Some(world) = &who.world {
        let words = if world == "indexed-strategy" { " (it brings tables of its own)" } else { "" };
        fact("world", format!("{world}{words}").into());
    }
    if !who.producers.is_empty() {
        fact("says of itself", format!("{} (a claim)", who.producers.join(", ")).into());
    }
    section(audit, Question::Who).with(Block::KeyValues(facts))
}

fn may(audit: &Audit) -> Section {
    let mut section = section(audit, Question::May);
    let may = &audit.may;
    let (own, outside): (Vec<String>, Vec<String>) =
        may.imported.iter().cloned().partition(|import| interface(import).is_some());
    let own: Vec<String> = own
        .iter()
        .filter_map(|import| interface(import))
        .filter(|name| *name != "types")
        .map(str::to_owned)
        .collect();
    if audit.reference.is_none() {
        let imported = vec![("imports".to_owned(), names(&[own, outside].concat()).into())];
        section = section.with(Block::KeyValues(imported));
        return granting(audit, section);
    }
    if may.proposed {
        section = section.with(Block::text(
            "It ran with all that it imports, every column and every function. What is granted here is the least \
             that covers what it used: the stanza that is proposed.",
        ));
    }
    let used = &audit.used;
    let row = |what: &str, imported: String, granted: &[String], used: &[String]| {
        vec![what.into(), imported.into(), names(granted).into(), names(used).into()]
    };
    let is_native = audit.strategy.digest.is_none();
    let imported = |list: &[String]| if is_native { "-".to_owned() } else { names(list) };
    let rows = vec![
        row("interfaces", imported(&own), &may.interfaces, &used.interfaces),
        row("WASI", imported(&outside), &may.wasi, &used.wasi),
        row("columns", "-".to_owned(), &may.columns, &used.columns),
    ];
    section = section.with(Block::table(&["", "imported", "granted", "used"], rows));
    let functions = if may.functions == used.functions {
        format!("granted and used: {}", names(&used.functions))
    } else {
        format!("used: {}; granted: {}", names(&used.functions), names(&may.functions))
    };
    let mut facts = vec![("functions".to_owned(), Cell::from(functions))];
    if !may.virtual_tables.is_empty() || !used.virtual_tables.is_empty() {
        let words = format!("used: {}; granted: {}", names(&used.virtual_tables), names(&may.virtual_tables));
        facts.push(("virtual tables".to_owned(), words.into()));
    }
    facts.push(("instances".to_owned(), may.instances.clone().into()));
    facts.push(("limits".to_owned(), limits(audit).into()));
    granting(audit, section.with(Block::KeyValues(facts)))
}

/// The lines that would grant what was refused, for a policy.
fn granting(audit: &Audit, section: Section) -> Section {
    match &audit.granting {
        Some(lines) => section
            .with(Block::text("What was refused or denied, these lines of a policy would grant:"))
            .with(Block::Code(lines.clone())),
        None => section,
    }
}

fn limits(audit: &Audit) -> String {
    audit
        .limits
        .iter()
        .map(|(name, value)| format!("{name} {}", limit(name, *value)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A limit as a policy writes it, without its quotes.
fn limit(name: &str, value: u64) -> String {
    match LIMITS.iter().find(|limit| limit.name == name).map(|limit| limit.unit) {
        Some(Unit::Count) | None => grouped(value),
        Some(unit) => number_written(value, unit).trim_matches('"').to_owned(),
    }
}

fn did(audit: &Audit) -> Section {
    let mut section = section(audit, Question::Did);
    let used = &audit.used;
    if used.requests == 0 {
        return section.with(Block::text("Nothing: it did not run."));
    }
    section = section.with(Block::KeyValues(facts(audit)));
    if audit.correctness.is_none() {
        return section.with(Block::text("No page was asked for."));
    }
    section = section.with(most(audit));
    if used.statements.is_empty() {
        return section.with(Block::text("It ran no statement of SQL in a page."));
    }
    let count = used.statements.len();
    let shown = count.min(SHOWN_STATEMENTS);
    let more =
        if shown < count || used.other_runs > 0 { "; a saved audit (--json) holds the rest" } else { "" };
    section
        .with(Block::text(format!("Its statements in pages, {shown} of {count}, the costliest first{more}:")))
        .with(statements(&used.statements))
}

fn facts(audit: &Audit) -> Vec<(String, Cell)> {
    let used = &audit.used;
    let slices = if audit.scratch.is_some() { ", slices of its refresh included" } else { "" };
    let calls: Vec<String> =
        used.calls.iter().map(|(name, calls)| format!("{name} {}", grouped(calls.count))).collect();
    let mut facts = vec![
        ("requests".to_owned(), Cell::from(format!("{}{slices}", grouped(used.requests)))),
        ("host calls".to_owned(), names(&calls).into()),
        ("tables".to_owned(), names(&used.tables).into()),
        ("payloads".to_owned(), payloads(used)),
    ];
    for denial in used.denials.iter().take(SHOWN) {
        let object = if denial.object.is_empty() { "(an empty name)" } else { &denial.object };
        let words = format!("by rule {}: {object}, {} times", denial.rule, grouped(denial.count));
        facts.push(("denied".to_owned(), Cell::bad(words)));
    }
    for note in used.notes.iter().take(SHOWN) {
        facts.push(("it noted".to_owned(), note.clone().into()));
    }
    if let Some(scratch) = &audit.scratch {
        let words = match &scratch.failed {
            Some(failed) => Cell::bad(failed.clone()),
            None => format!(
                "filled with {} events in {}: {} bytes, {} steps in {} statements",
                grouped(scratch.events),
                time(scratch.fill_ms * 1e3),
                grouped(scratch.bytes),
                grouped(scratch.vm_steps),
                scratch.statements.len(),
            )
            .into(),
        };
        facts.push(("scratch".to_owned(), words));
    }
    facts
}

fn payloads(used: &Used) -> Cell {
    let words = format!(
        "{} read by itself, {} bytes into the sandbox, SQL values included",
        grouped(used.total.payload_reads),
        grouped(used.total.boundary_bytes),
    );
    match used.unshown_payloads {
        0 => words.into(),
        unshown => Cell::warn(format!("{words}; {} of events that it did not show", grouped(unshown))),
    }
}

/// The most that one page used of each limit.
fn most(audit: &Audit) -> Block {
    let Amounts { vm_steps, rows, handles, payload_bytes, memory, log_lock, guest, .. } = audit.used.most;
    let count = |amount: u64| (grouped(amount), amount);
    let taken = |took: Duration| {
        let us = whole_micros(took);
        // The limits on time are in milliseconds.
        (time(float(us)), us.div_ceil(1_000))
    };
    let amounts = [
        ("steps of SQLite", "sql_steps", count(vm_steps)),
        ("rows", "rows", count(rows)),
        ("event handles", "handles", count(handles)),
        ("payload bytes", "payload_bytes", count(payload_bytes)),
        ("guest memory", "memory", count(memory)),
        ("log locked", "log_lock", taken(log_lock)),
        ("its own code", "guest_time", taken(guest)),
    ];
    let rows = amounts.into_iter().map(|(what, name, (shown, amount))| {
        let allowed = audit.limits.get(name).copied();
        let share =
            allowed.filter(|allowed| *allowed > 0).map(|allowed| amount.saturating_mul(100) / allowed);
        vec![
            what.into(),
            shown.into(),
            allowed
                .map_or_else(|| "-".to_owned(), |allowed| format!("{name} {}", limit(name, allowed)))
                .into(),
            share.map_or_else(|| "-".to_owned(), |share| format!("{share} %")).into(),
        ]
    });
    Block::table(&["most of one page", "#used", "limit", "#share"], rows.collect())
}

/// Each statement with its plan and its figures below.
fn statements(statements: &[StatementUse]) -> Block {
    let mut pairs = Vec::new();
    for (number, statement) in statements.iter().take(SHOWN_STATEMENTS).enumerate() {
        let runs = statement.runs.max(1);
        let mut figures = format!(
            "{} runs, {} rows, {} steps a run",
            grouped(statement.runs),
            grouped(statement.rows),
            grouped(statement.vm_steps / runs)
        );
        for (count, what) in [
            (statement.full_scan_steps, "rows scanned"),
            (statement.sorts, "sorts"),
            (statement.automatic_indexes, "rows put into an automatic index"),
        ] {
            if count > 0 {
                figures += &format!(", {} {what} in all", grouped(count));
            }
        }
        pairs.push(((number + 1).to_string(), one_line(&statement.sql).into()));
        for step in &statement.plan {
            pairs.push((String::new(), format!("plan: {step}").into()));
        }
        pairs.push((String::new(), figures.into()));
    }
    Block::KeyValues(pairs)
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

fn right(audit: &Audit) -> Section {
    let mut section = section(audit, Question::Right);
    if let Some(correctness) = &audit.correctness {
        let reference = audit.reference.as_deref().unwrap_or_default();
        section = section.with(Block::text(compared(correctness, reference)));
        let rows = correctness.streams.iter().map(stream).collect();
        section = section
            .with(Block::table(&["stream", "what it asks for", "#pages", "#with events", "outcome"], rows));
        for stream in correctness.streams.iter().filter(|stream| stream.repeat.is_some()).take(1) {
            section = section
                .with(Block::text("To see the first difference again:"))
                .with(Block::Code(stream.repeat.clone().unwrap_or_default()));
        }
    }
    match &audit.determinism {
        Some(facts) => section
            .with(Block::text(format!(
                "What {} requests came to elsewhere, byte for byte, beside fresh instances in one process:",
                facts.requests
            )))
            .with(Block::KeyValues(determinism(facts))),
        None if audit.correctness.is_none() => section.with(Block::text("It answered nothing.")),
        None => section,
    }
}

fn compared(correctness: &Correctness, reference: &str) -> Cell {
    let pages = format!(
        "{} pages, {} of them with events, {} events in all",
        grouped(correctness.pages),
        grouped(correctness.non_empty),
        grouped(correctness.events)
    );
    match (correctness.equal, correctness.bound) {
        (true, Some(bound)) => Cell::good(format!(
            "equal to {reference} in {pages}: of pages drawn alike, under 3/{} = {:.2} % differ (at 95 %)",
            correctness.non_empty,
            bound * 100.0
        )),
        (true, None) => {
            Cell::warn(format!("equal to {reference} in {pages}: too few held events to tell anything"))
        }
        (false, _) => {
            Cell::bad(format!("not equal to {reference}; each stream ended at its first difference"))
        }
    }
}

fn stream(stream: &StreamFacts) -> Vec<Cell> {
    let asks = match stream.name.as_str() {
        "contract" => "what the live service is asked: mostly pages past the end",
        "dense" => "pages that are all full",
        "edges" => "bounds, ties, cursors, impossible filters",
        "walks" => "page after page to the end, by number and by cursor",
        _ => "",
    };
    let outcome = match &stream.kind {
        None if stream.pages == 0 => Cell::warn("no time was left"),
        None => Cell::good("equal"),
        Some(kind) if stream.refused => Cell::bad(format!("{kind}; the host refused the page by itself")),
        Some(kind) => Cell::bad(format!("{kind}; only the comparison tells")),
    };
    vec![
        stream.name.clone().into(),
        asks.into(),
        grouped(stream.pages).into(),
        grouped(stream.non_empty).into(),
        outcome,
    ]
}

fn determinism(facts: &Determinism) -> Vec<(String, Cell)> {
    let same = |same: bool| if same { Cell::good("same") } else { Cell::bad("differs") };
    let warns = |same: bool| if same { Cell::good("same") } else { Cell::warn("differs") };
    let mut shown = vec![
        ("another process".to_owned(), same(facts.same_across_processes)),
        ("fuel burnt there".to_owned(), warns(facts.same_fuel_across_processes)),
        ("a used pool slot".to_owned(), same(facts.same_in_used_slot)),
    ];
    if let Some(refill) = facts.same_after_refill {
        shown.push(("scratch filled anew".to_owned(), same(refill)));
    }
    shown.push(("a warm instance".to_owned(), warns(facts.same_when_warm)));
    if let Some(first) = &facts.first {
        shown.push(("first difference".to_owned(), first.clone().into()));
    }
    shown
}

/// What it costs, point by point: the whole log beside the first half of it.
fn cost(audit: &Audit) -> Section {
    let section = section(audit, Question::Cost);
    let events = |log: &str| audit.cost.iter().find(|cost| cost.log == log).map_or(0, |cost| cost.events);
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
    let intro = format!(
        "Pages of at most 50 events, on this log of {} events and on its first {} alone. Steps (of SQLite) and fuel \
         (of its own code) are exact; the time is the median of some runs on this machine, with nothing else to do.",
        grouped(events("whole")),
        grouped(events("half")),
    );
    let headings =
        ["which", "#page", "#events", "#steps", "#fuel", "#time", "#half: events", "#steps", "#fuel"];
    section.with(Block::text(intro)).with(Block::table(&headings, rows.collect()))
}

fn point(cost: &Cost, half: Option<&Cost>) -> Vec<Cell> {
    let dash = || Cell::from("-");
    let figures = |cost: &Cost| match &cost.failed {
        Some(_) => [Cell::bad("failed"), dash(), dash()],
        None => [
            grouped(cost.count).into(),
            grouped(cost.vm_steps).into(),
            cost.fuel.map_or_else(dash, |fuel| grouped(fuel).into()),
        ],
    };
    let mut row: Vec<Cell> = vec![cost.filter.clone().into(), grouped(cost.page).into()];
    row.extend(figures(cost));
    row.push(if cost.us > 0.0 { time(cost.us).into() } else { dash() });
    row.extend(half.map_or_else(|| [dash(), dash(), dash()], figures));
    row
}

fn limitations(audit: &Audit) -> Section {
    let points = audit.limitations.iter().map(|sentence| Cell::from(sentence.clone())).collect();
    let took = format!(
        "Took {:.1} s on {} events; {}.",
        audit.seconds,
        grouped(audit.log.events),
        audit.host.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
    );
    Section::new("What can this audit not tell?").with(Block::List(points)).with(Block::text(took))
}

/// A section with the findings that answer its question, and what to do about each. What was seen of the
/// grave ones stands above, with the verdict.
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
    let Finding { code, severity, what, fix } = finding;
    let seen = if *severity == Severity::Low { format!(" {what};") } else { String::new() };
    Cell::new(level_of(*severity), format!("{code} ({}):{seen} {fix}", severity.name()))
}

fn level_of(severity: Severity) -> Level {
    match severity {
        Severity::High => Level::Bad,
        Severity::Medium => Level::Warn,
        Severity::Low => Level::Plain,
    }
}

/// Names one behind the other; `nothing` where there are none.
fn names(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

//! An audit as a document: the verdict first, then six questions.

mod cost;
mod touch;

use super::facts::{Audit, Correctness, Determinism, Finding, Severity, Signature, StreamFacts, Verdict};
use super::findings::{Question, kind};
use crate::report::{Block, Cell, Document, Level, Section, grouped};

/// The screen.
pub fn document(audit: &Audit) -> Document {
    Document {
        title: format!("audit of {}", audit.strategy.name),
        verdict: Some(verdict(audit)),
        sections: vec![
            who(audit),
            touch::may(audit),
            touch::did(audit),
            right(audit),
            cost::section(audit),
            unseen(audit),
        ],
    }
}

fn verdict(audit: &Audit) -> crate::report::Verdict {
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

fn unseen(audit: &Audit) -> Section {
    let points = audit.unseen.iter().map(|sentence| Cell::from(sentence.clone())).collect();
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

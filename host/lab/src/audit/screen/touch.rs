//! What a strategy may touch, and what it did touch.

use super::{names, section};
use crate::audit::facts::{Amounts, Audit, Statement, Used};
use crate::audit::findings::Question;
use crate::audit::totals::interface;
use crate::limits::Unit;
use crate::policy::key::{self, Form};
use crate::policy::number;
use crate::report::{Block, Cell, Section, grouped, time};

/// Statements that the screen shows; a saved audit holds all of them.
const SHOWN_STATEMENTS: usize = 6;

/// Notes and denials that it shows.
const SHOWN: usize = 4;

pub(super) fn may(audit: &Audit) -> Section {
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
    match key::find("limits", name).map(|key| key.form) {
        Some(Form::Number(Unit::Count, ..)) | None => grouped(value),
        Some(Form::Number(unit, ..)) => number::written(value, unit).trim_matches('"').to_owned(),
        Some(_) => value.to_string(),
    }
}

pub(super) fn did(audit: &Audit) -> Section {
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
    let Amounts { vm_steps, rows, handles, payload_bytes, memory, log_lock_us, guest_us, .. } =
        audit.used.most;
    let count = |amount: u64| (grouped(amount), amount);
    let micros = |us: u64| {
        #[allow(clippy::cast_precision_loss, reason = "a time to be read")]
        let shown = time(us as f64);
        // The limits on time are in milliseconds.
        (shown, us.div_ceil(1_000))
    };
    let amounts = [
        ("steps of SQLite", "sql_steps", count(vm_steps)),
        ("rows", "rows", count(rows)),
        ("event handles", "handles", count(handles)),
        ("payload bytes", "payload_bytes", count(payload_bytes)),
        ("guest memory", "memory", count(memory)),
        ("log locked", "log_lock", micros(log_lock_us)),
        ("its own code", "guest_time", micros(guest_us)),
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
fn statements(statements: &[Statement]) -> Block {
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

//! A request's ledger, for people and for machines.

use serde_json::{Map, Value, json};

use crate::report::{Block, Cell, Document, Section};
use keyhole_log::ledger::{Ledger, StatementUse};
use keyhole_log::limits::Limits;
use keyhole_log::units::micros;
use keyhole_runtime::scratch::Scratch;

/// The ledger as one JSON object; times in microseconds.
pub fn json(ledger: &Ledger, limits: &Limits) -> Value {
    let calls: Map<String, Value> = ledger
        .calls()
        .map(|(name, count, time)| (name.to_owned(), json!({"count": count, "us": micros(time)})))
        .collect();
    let phases = &ledger.phases;
    json!({
        "high_water": ledger.high_water, "covered": ledger.covered, "proved": ledger.proved,
        "by_reference": ledger.by_reference,
        "statements": ledger.statements().map(statement).collect::<Vec<_>>(), "other_runs": ledger.other_runs,
        "calls": calls, "rows": ledger.rows, "handles": ledger.handles,
        "payload_reads": ledger.payload_reads, "payload_bytes": ledger.payload_bytes,
        "boundary_bytes": ledger.boundary_bytes, "memory": ledger.memory, "fuel": ledger.fuel,
        "denied": ledger.denied,
        "denials": ledger.denials().map(|(rule, object)| json!({"rule": rule, "object": object})).collect::<Vec<_>>(),
        "notes": ledger.notes(),
        "limits": limits.named().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect::<Map<_, Value>>(),
        "us": {
            "snapshot": micros(phases.snapshot), "instantiate": micros(phases.instantiate),
            "strategy": micros(phases.strategy), "host_calls": micros(phases.host_calls),
            "check": micros(phases.check), "log_lock": micros(phases.log_lock), "payloads": micros(phases.payloads),
        },
    })
}

/// A statement, without its plan where nobody asked for that.
fn statement(statement: &StatementUse) -> Value {
    let mut object = json!(statement);
    if let Some(fields) = object.as_object_mut().filter(|_| statement.plan.is_empty()) {
        fields.remove("plan");
    }
    object
}

/// What a strategy's scratch is and what its last fill or refresh took, as one JSON object; times in
/// microseconds. Null for a strategy that has none.
pub fn scratch_json(scratch: Option<&Scratch>) -> Value {
    let Some(scratch) = scratch else { return Value::Null };
    let refreshed = scratch.refreshed().map(|refreshed| {
        json!({
            "filled": refreshed.filled, "events": refreshed.events, "slices": refreshed.slices,
            "wal_bytes": refreshed.wal_bytes, "memory": scratch.usage().most.memory,
            "us": {
                "feed": micros(refreshed.feed), "transactions": micros(refreshed.transactions),
                "checkpoint": micros(refreshed.checkpoint), "took": micros(refreshed.took),
            },
        })
    });
    json!({"bytes": scratch.bytes(), "refreshed": refreshed})
}

/// The ledger of a request for people, and in words what its strategy's scratch last took in.
pub fn document(ledger: &Ledger, limits: &Limits, refreshed: Option<String>) -> Document {
    let mut facts: Vec<(String, Cell)> = Vec::new();
    let mut fact = |name: &str, words: String| facts.push((name.to_owned(), words.into()));
    let covered = ledger.covered.map_or(String::new(), |covered| format!(", scratch covers {covered}"));
    fact("snapshot", format!("events up to {}{covered}", ledger.high_water));
    let proved = "proved complete between its ends";
    let unproved = "not proved complete: its span is long";
    if ledger.by_reference {
        let words = "the reference's: an event that cannot be shown is on it, or its place could touch it";
        fact("answer", words.to_owned());
    }
    fact("page", if ledger.proved { proved } else { unproved }.to_owned());
    for statement in ledger.statements() {
        let StatementUse { runs, rows, vm_steps, full_scan_steps, sorts, automatic_indexes, .. } = statement;
        fact("statement", statement.sql.clone());
        fact(
            "",
            format!(
                "{runs} runs, {rows} rows, {vm_steps} steps, {full_scan_steps} full-scan steps, {sorts} sorts, \
                 {automatic_indexes} automatic indexes"
            ),
        );
        statement.plan.iter().for_each(|step| fact("", format!("plan: {step}")));
    }
    for (name, count, time) in ledger.calls() {
        fact("call", format!("{name}: {count} times, {:.1} us", micros(time)));
    }
    let Ledger { rows, handles, payload_reads, payload_bytes, boundary_bytes, memory, phases, .. } = ledger;
    fact(
        "used",
        format!(
            "{rows} rows, {handles} handles, {payload_reads} payloads of {payload_bytes} bytes, \
             {boundary_bytes} bytes into the strategy, {memory} bytes of memory"
        ),
    );
    let limits: Vec<String> = limits.named().iter().map(|(name, value)| format!("{name} {value}")).collect();
    fact("limits", limits.join(", "));
    for (rule, object) in ledger.denials() {
        fact("denied", format!("{rule}: {object}"));
    }
    if !ledger.notes().is_empty() {
        fact("note", ledger.notes().to_owned());
    }
    fact(
        "time",
        format!(
            "snapshot {:.1}, instance {:.1}, strategy {:.1} (host calls {:.1}), check {:.1}, payloads {:.1} us; \
             log locked {:.1} us",
            micros(phases.snapshot),
            micros(phases.instantiate),
            micros(phases.strategy),
            micros(phases.host_calls),
            micros(phases.check),
            micros(phases.payloads),
            micros(phases.log_lock)
        ),
    );
    if let Some(refreshed) = refreshed {
        fact("scratch", refreshed);
    }
    Document {
        title: "ledger".to_owned(),
        verdict: None,
        sections: vec![Section::new("").with(Block::KeyValues(facts))],
    }
}

/// What a strategy's scratch took in last, in words; nothing where it took in nothing.
pub fn refreshed(scratch: Option<&Scratch>) -> Option<String> {
    let scratch = scratch?;
    let refreshed = scratch.refreshed()?;
    let ms = |time| micros(time) / 1e3;
    Some(format!(
        "{} {} events in {:.1} ms: feed {:.1}, {} transactions {:.1}, checkpoint {:.1} ms; {} bytes of write-ahead \
         log, {} bytes of memory; {} bytes in all",
        if refreshed.filled { "filled with" } else { "took in" },
        refreshed.events,
        ms(refreshed.took),
        ms(refreshed.feed),
        refreshed.slices,
        ms(refreshed.transactions),
        ms(refreshed.checkpoint),
        refreshed.wal_bytes,
        scratch.usage().most.memory,
        scratch.bytes()
    ))
}

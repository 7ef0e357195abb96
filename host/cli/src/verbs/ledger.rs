//! A request's ledger, for people and for machines.

use serde_json::{Map, Value, json};

use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::scratch::Scratch;
use crate::units::micros;

/// The ledger as one JSON object; times in microseconds.
pub fn json(ledger: &Ledger, limits: &Limits) -> Value {
    let calls: Map<String, Value> = ledger
        .calls()
        .map(|(name, count, time)| (name.to_owned(), json!({"count": count, "us": micros(time)})))
        .collect();
    let phases = &ledger.phases;
    json!({
        "high_water": ledger.high_water, "covered": ledger.covered, "proved": ledger.proved,
        "statements": ledger.statements().collect::<Vec<_>>(), "other_runs": ledger.other_runs,
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

/// The same for people: a line, where there is something to tell.
pub fn scratch_readable(scratch: Option<&Scratch>) -> String {
    let Some((scratch, refreshed)) = scratch.and_then(|scratch| Some((scratch, scratch.refreshed()?))) else {
        return String::new();
    };
    format!(
        "  scratch    {} {} events in {:.1} ms: feed {:.1}, {} transactions {:.1}, checkpoint {:.1} ms; {} bytes of \
         write-ahead log, {} bytes of memory; {} bytes in all\n",
        if refreshed.filled { "filled with" } else { "took in" },
        refreshed.events,
        micros(refreshed.took) / 1e3,
        micros(refreshed.feed) / 1e3,
        refreshed.slices,
        micros(refreshed.transactions) / 1e3,
        micros(refreshed.checkpoint) / 1e3,
        refreshed.wal_bytes,
        scratch.usage().most.memory,
        scratch.bytes()
    )
}

/// The ledger for people.
pub fn readable(ledger: &Ledger, limits: &Limits) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |words: String| {
        let _ = writeln!(text, "{words}");
    };
    line("\nledger".to_owned());
    let covered = ledger.covered.map_or(String::new(), |covered| format!(", scratch covers {covered}"));
    line(format!("  snapshot   events up to {}{covered}", ledger.high_water));
    let proved = if ledger.proved {
        "proved complete between its ends"
    } else {
        "not proved complete: its span is long"
    };
    line(format!("  page       {proved}"));
    for statement in ledger.statements() {
        line(format!("  statement  {}", statement.sql));
        line(format!(
            "             {} runs, {} rows, {} steps, {} full-scan steps, {} sorts, {} automatic indexes",
            statement.runs,
            statement.rows,
            statement.vm_steps,
            statement.full_scan_steps,
            statement.sorts,
            statement.automatic_indexes
        ));
        for step in &statement.plan {
            line(format!("             plan: {step}"));
        }
    }
    for (name, count, time) in ledger.calls() {
        line(format!("  call       {name}: {count} times, {:.1} us", micros(time)));
    }
    line(format!(
        "  used       {} rows, {} handles, {} payloads of {} bytes, {} bytes into the strategy, {} bytes of memory",
        ledger.rows,
        ledger.handles,
        ledger.payload_reads,
        ledger.payload_bytes,
        ledger.boundary_bytes,
        ledger.memory
    ));
    let limits: Vec<String> = limits.named().iter().map(|(name, value)| format!("{name} {value}")).collect();
    line(format!("  limits     {}", limits.join(", ")));
    for (rule, object) in ledger.denials() {
        line(format!("  denied     {rule}: {object}"));
    }
    if !ledger.notes().is_empty() {
        line(format!("  note       {}", ledger.notes()));
    }
    let phases = &ledger.phases;
    line(format!(
        "  time       snapshot {:.1}, instance {:.1}, strategy {:.1} (host calls {:.1}), check {:.1}, payloads {:.1} us; log locked {:.1} us",
        micros(phases.snapshot),
        micros(phases.instantiate),
        micros(phases.strategy),
        micros(phases.host_calls),
        micros(phases.check),
        micros(phases.payloads),
        micros(phases.log_lock)
    ));
    text
}

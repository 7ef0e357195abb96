//! What a strategy did over many requests: their ledgers, added up.
//!
//! A ledger is kept for every request; this is for whoever wants the sum: an audit, a refresh, a report.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, StatementUse};

/// Statement texts told apart in a sum.
const TEXTS: usize = 256;

/// Kinds of denials, and notes, that a sum keeps.
const DENIALS: usize = 64;
const NOTES: usize = 16;

/// What requests used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Rows that statements returned.
    pub rows: u64,
    /// Event handles.
    pub handles: u64,
    /// Steps of SQLite's virtual machine.
    pub vm_steps: u64,
    /// Payloads that the strategy asked for.
    pub payload_reads: u64,
    /// Bytes of all payloads that were read, the answer's included.
    pub payload_bytes: u64,
    /// Bytes that went into the strategy.
    pub boundary_bytes: u64,
    /// Fuel, where it was counted.
    pub fuel: u64,
    /// Bytes of guest memory: as a total, too, the most that one instance had.
    pub memory: u64,
    /// Time that the log was locked.
    #[serde(rename = "log_lock_us", with = "in_micros")]
    pub log_lock: Duration,
    /// Time in the strategy's own code.
    #[serde(rename = "guest_us", with = "in_micros")]
    pub guest: Duration,
    /// Time in host calls.
    #[serde(skip)]
    pub host: Duration,
}

/// A time in JSON: whole microseconds.
mod in_micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::units::whole_micros;

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(whole_micros(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_micros)
    }
}

/// Many ledgers, added up.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// How many ledgers.
    pub requests: u64,
    /// Each statement once, in the order in which they were first seen.
    pub statements: Vec<StatementUse>,
    /// Runs of statements beyond those told apart.
    pub other_runs: u64,
    /// Host calls: how often, and time in all.
    pub calls: BTreeMap<&'static str, (u64, Duration)>,
    /// Amounts, summed.
    pub total: Amounts,
    /// The most of each amount that one request used.
    pub most: Amounts,
    /// How often something was denied.
    pub denied: u64,
    /// Denials by rule and object, and how often.
    pub denials: BTreeMap<(&'static str, String), u64>,
    /// The first distinct notes.
    pub notes: Vec<String>,
    /// Payloads that were read although their events are not on the page.
    pub unshown_payloads: u64,
    /// The interfaces of WASI that were called.
    pub wasi: BTreeSet<&'static str>,
}

impl Usage {
    /// Adds a request that showed so many events.
    pub fn add(&mut self, ledger: &Ledger, shown: u64) {
        self.requests += 1;
        self.other_runs += ledger.other_runs;
        self.denied += ledger.denied;
        self.wasi.extend(ledger.wasi());
        for statement in ledger.statements() {
            self.add_statement(statement);
        }
        for (name, count, time) in ledger.calls() {
            let entry = self.calls.entry(name).or_default();
            entry.0 += count;
            entry.1 += time;
        }
        for (rule, object) in ledger.denials() {
            let key = (rule, object.to_owned());
            if self.denials.len() < DENIALS || self.denials.contains_key(&key) {
                *self.denials.entry(key).or_default() += 1;
            }
        }
        let note = ledger.notes();
        if !note.is_empty() && self.notes.len() < NOTES && !self.notes.iter().any(|kept| kept == note) {
            self.notes.push(note.to_owned());
        }
        // Each payload is read once a request, for the strategy or for the answer.
        self.unshown_payloads += ledger.payload_reads.saturating_sub(shown);
        let used = amounts(ledger);
        self.total = self.total.merged(&used, std::ops::Add::add, std::ops::Add::add);
        self.most = self.most.merged(&used, u64::max, Duration::max);
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.other_runs += other.other_runs;
        self.denied += other.denied;
        self.unshown_payloads += other.unshown_payloads;
        self.wasi.extend(&other.wasi);
        for statement in &other.statements {
            self.add_statement(statement);
        }
        for (name, (count, time)) in &other.calls {
            let entry = self.calls.entry(name).or_default();
            entry.0 += count;
            entry.1 += *time;
        }
        for (key, count) in &other.denials {
            *self.denials.entry(key.clone()).or_default() += count;
        }
        for note in &other.notes {
            if self.notes.len() < NOTES && !self.notes.contains(note) {
                self.notes.push(note.clone());
            }
        }
        self.total = self.total.merged(&other.total, std::ops::Add::add, std::ops::Add::add);
        self.most = self.most.merged(&other.most, u64::max, Duration::max);
    }

    /// Whether a statement of this text is known with its plan.
    pub fn has_plan(&self, sql: &str) -> bool {
        self.statements.iter().any(|known| known.sql == sql && !known.plan.is_empty())
    }

    fn add_statement(&mut self, statement: &StatementUse) {
        let Some(known) = self.statements.iter_mut().find(|known| known.sql == statement.sql) else {
            if self.statements.len() < TEXTS {
                self.statements.push(statement.clone());
            } else {
                self.other_runs += statement.runs;
            }
            return;
        };
        known.runs += statement.runs;
        known.rows += statement.rows;
        known.vm_steps += statement.vm_steps;
        known.full_scan_steps += statement.full_scan_steps;
        known.sorts += statement.sorts;
        known.automatic_indexes += statement.automatic_indexes;
        if known.plan.is_empty() {
            known.plan.clone_from(&statement.plan);
        }
    }
}

impl Amounts {
    fn merged(
        &self,
        other: &Self,
        number: fn(u64, u64) -> u64,
        time: fn(Duration, Duration) -> Duration,
    ) -> Self {
        Self {
            rows: number(self.rows, other.rows),
            handles: number(self.handles, other.handles),
            vm_steps: number(self.vm_steps, other.vm_steps),
            payload_reads: number(self.payload_reads, other.payload_reads),
            payload_bytes: number(self.payload_bytes, other.payload_bytes),
            boundary_bytes: number(self.boundary_bytes, other.boundary_bytes),
            fuel: number(self.fuel, other.fuel),
            // Instances that follow one another do not add up.
            memory: self.memory.max(other.memory),
            log_lock: time(self.log_lock, other.log_lock),
            guest: time(self.guest, other.guest),
            host: time(self.host, other.host),
        }
    }
}

fn amounts(ledger: &Ledger) -> Amounts {
    let reads = ledger.calls().find(|(name, ..)| *name == "payloads.read").map_or(0, |(_, count, _)| count);
    let phases = &ledger.phases;
    Amounts {
        rows: ledger.rows,
        handles: ledger.handles,
        vm_steps: ledger.statements().map(|statement| statement.vm_steps).sum(),
        payload_reads: reads,
        payload_bytes: ledger.payload_bytes,
        boundary_bytes: ledger.boundary_bytes,
        fuel: ledger.fuel.unwrap_or(0),
        memory: ledger.memory,
        log_lock: phases.log_lock,
        guest: phases.strategy.saturating_sub(phases.host_calls),
        host: phases.host_calls,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ledger::Call;

    fn ledger(sql: &str, steps: u64) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.payload_reads = 3;
        ledger.memory = 10 * steps;
        ledger.rows = 1;
        let statement = ledger.statement(sql).unwrap();
        statement.runs = 1;
        statement.vm_steps = steps;
        ledger.called(Call::Query, Duration::from_micros(5));
        ledger.denied("read", "log.x");
        ledger.note("hello");
        ledger
    }

    #[test]
    fn each_text_stands_once_and_amounts_are_summed_and_peaked() {
        let mut usage = Usage::default();
        usage.add(&ledger("SELECT 1", 7), 3);
        usage.add(&ledger("SELECT 2", 2), 1);
        usage.add(&ledger("SELECT 1", 5), 3);
        let steps: Vec<_> = usage.statements.iter().map(|s| (s.sql.as_str(), s.runs, s.vm_steps)).collect();
        assert_eq!(steps, [("SELECT 1", 2, 12), ("SELECT 2", 1, 2)]);
        assert_eq!((usage.total.vm_steps, usage.most.vm_steps), (14, 7));
        assert_eq!((usage.total.memory, usage.total.rows), (70, 3));
        assert_eq!(usage.calls["log.query"], (3, Duration::from_micros(15)));
        assert_eq!(usage.denials[&("read", "log.x".to_owned())], 3);
        assert_eq!(usage.notes, ["hello"]);
        assert_eq!(usage.unshown_payloads, 2);
    }

    #[test]
    fn merging_sums_is_adding_ledgers() {
        let (mut one, mut both) = (Usage::default(), Usage::default());
        let mut other = Usage::default();
        one.add(&ledger("SELECT 1", 7), 3);
        other.add(&ledger("SELECT 1", 9), 0);
        one.merge(&other);
        both.add(&ledger("SELECT 1", 7), 3);
        both.add(&ledger("SELECT 1", 9), 0);
        assert_eq!(format!("{one:?}"), format!("{both:?}"));
    }

    #[test]
    fn a_strategy_that_never_repeats_a_text_fills_no_memory() {
        let mut usage = Usage::default();
        for n in 0..1_000 {
            usage.add(&ledger(&format!("SELECT {n}"), 1), 0);
        }
        assert_eq!((usage.statements.len(), usage.other_runs), (TEXTS, 744));
    }
}

//! What one request did: statements, host calls, bytes, denials, notes, and where its time went.
//!
//! Kept for every request, so it must cost next to nothing: texts stay from one request to the next,
//! only the counters start again.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::limits::NOTE_BYTES;

/// Statement texts told apart; the runs of further ones are counted together.
const TEXTS: usize = 64;

/// Denials kept of one request; further ones are only counted.
const DENIALS: usize = 64;

/// The functions that a strategy can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Call {
    /// `log.high-water`
    HighWater,
    /// `log.query`
    Query,
    /// `log.select`
    Select,
    /// `log.fetch`
    Fetch,
    /// `log.event.key`
    Key,
    /// `payloads.read`
    Read,
    /// `diagnostics.note`
    Note,
    /// `scratch.execute`
    Execute,
    /// `scratch.execute-many`
    ExecuteMany,
}

/// The functions' names, in the order of [`Call`].
const CALLS: [&str; 9] = [
    "log.high-water",
    "log.query",
    "log.select",
    "log.fetch",
    "log.event.key",
    "payloads.read",
    "diagnostics.note",
    "scratch.execute",
    "scratch.execute-many",
];

/// One statement of the strategy's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementUse {
    /// Its text.
    pub sql: String,
    /// SQLite's plan for it, a line a step; filled in on request only.
    pub plan: Vec<String>,
    /// The tables that it names: the log's plainly, others with their schema.
    pub tables: Vec<String>,
    /// The columns that it reads, each after its table and a dot.
    pub columns: Vec<String>,
    /// The functions that it calls.
    pub functions: Vec<String>,
    /// How often it ran.
    pub runs: u64,
    /// Rows that it returned.
    pub rows: u64,
    /// Steps of SQLite's virtual machine.
    pub vm_steps: u64,
    /// Steps of a full table scan.
    pub full_scan_steps: u64,
    /// Sorts.
    pub sorts: u64,
    /// Indexes that SQLite made for the statement alone.
    pub automatic_indexes: u64,
    /// Whether it has passed the checks that a text's first sight takes.
    #[serde(skip)]
    pub passed: bool,
    /// How long a value may be that it deals with, once it has passed: see [`crate::weight`].
    #[serde(skip)]
    pub longest_value: u64,
}

/// Where a request's time went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phases {
    /// Opening the snapshot.
    pub snapshot: Duration,
    /// Making the instance; zero for a native or a warm one.
    pub instantiate: Duration,
    /// The strategy's call, host calls included.
    pub strategy: Duration,
    /// The host calls alone.
    pub host_calls: Duration,
    /// Reading the page's rows and checking them.
    pub check: Duration,
    /// How long the log was locked.
    pub log_lock: Duration,
    /// Reading and checking the payloads.
    pub payloads: Duration,
}

/// One request's ledger.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    statements: Vec<StatementUse>,
    /// Runs of statements beyond those told apart.
    pub other_runs: u64,
    calls: [(u64, Duration); CALLS.len()],
    /// Which of [`WASI`](crate::grants::WASI) was called, a bit each.
    pub wasi: u32,
    /// Event handles minted.
    pub handles: u64,
    /// Rows that statements of the strategy returned.
    pub rows: u64,
    /// Payloads read from disk, for the strategy or for the answer.
    pub payload_reads: u64,
    /// Their bytes.
    pub payload_bytes: u64,
    /// Bytes of payloads and of SQL values that went into the strategy.
    pub boundary_bytes: u64,
    /// Most guest memory in bytes; 0 for a native strategy.
    pub memory: u64,
    /// Fuel that the strategy burnt, where the engine counts it.
    pub fuel: Option<u64>,
    /// The snapshot's largest id.
    pub high_water: i64,
    /// The largest id that scratch covers, for a strategy that has it.
    pub covered: Option<i64>,
    /// Whether the page was proved complete between its ends.
    pub proved: bool,
    /// Whether the reference answered in the strategy's place: an odd cell of the log could have touched the page.
    pub by_reference: bool,
    /// What was denied: rule and object.
    denials: Vec<(&'static str, String)>,
    /// How often something was denied.
    pub denied: u64,
    note: String,
    /// Where the time went.
    pub phases: Phases,
}

impl Ledger {
    /// Starts the next request. Statement texts stay, to be counted again.
    pub fn begin(&mut self) {
        let statements = std::mem::take(&mut self.statements);
        let mut denials = std::mem::take(&mut self.denials);
        let mut note = std::mem::take(&mut self.note);
        denials.clear();
        note.clear();
        *self = Self { statements, denials, note, ..Self::default() };
        for statement in &mut self.statements {
            let known = std::mem::take(statement);
            *statement = StatementUse {
                runs: 0,
                rows: 0,
                vm_steps: 0,
                full_scan_steps: 0,
                sorts: 0,
                automatic_indexes: 0,
                ..known
            };
        }
    }

    /// The entry of a statement's text; None where this request told too many apart already. A text of an
    /// earlier request makes room, so that no strategy can fill the ledger once and hide in it.
    pub fn statement(&mut self, sql: &str) -> Option<&mut StatementUse> {
        let known = self.statements.iter().position(|statement| statement.sql == sql);
        let at = if let Some(at) = known {
            at
        } else {
            let entry = StatementUse { sql: sql.to_owned(), ..StatementUse::default() };
            if self.statements.len() < TEXTS {
                self.statements.push(entry);
                self.statements.len() - 1
            } else {
                let at = self.statements.iter().position(|statement| statement.runs == 0)?;
                *self.statements.get_mut(at)? = entry;
                at
            }
        };
        self.statements.get_mut(at)
    }

    /// How long a value may be in a text that has passed the checks of its first sight; None where it has not.
    pub fn passed(&self, sql: &str) -> Option<u64> {
        let passed = self.statements.iter().find(|statement| statement.passed && statement.sql == sql);
        passed.map(|statement| statement.longest_value)
    }

    /// The statements that this request ran.
    pub fn statements(&self) -> impl Iterator<Item = &StatementUse> {
        self.statements.iter().filter(|statement| statement.runs > 0)
    }

    /// Counts a host call.
    pub fn called(&mut self, call: Call, time: Duration) {
        if let Some((count, total)) = self.calls.get_mut(call as usize) {
            *count += 1;
            *total += time;
        }
    }

    /// The functions that were called: name, how often, time in all.
    pub fn calls(&self) -> impl Iterator<Item = (&'static str, u64, Duration)> {
        CALLS
            .into_iter()
            .zip(self.calls)
            .filter(|(_, (count, _))| *count > 0)
            .map(|(name, (count, time))| (name, count, time))
    }

    /// The interfaces of WASI that were called.
    pub fn wasi(&self) -> impl Iterator<Item = &'static str> {
        let used = self.wasi;
        crate::grants::WASI
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| used & (1 << bit) != 0)
            .map(|(_, name)| name)
    }

    /// Counts a denial.
    pub fn denied(&mut self, rule: &'static str, object: &str) {
        self.denied += 1;
        if self.denials.len() < DENIALS {
            self.denials.push((rule, object.to_owned()));
        }
    }

    /// Counts a denial, and says it.
    pub(crate) fn deny(&mut self, rule: &'static str, object: &str) -> Error {
        self.denied(rule, object);
        Error::Denied { rule, object: object.to_owned() }
    }

    /// What was denied, rule and object, the first of them.
    pub fn denials(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.denials.iter().map(|(rule, object)| (*rule, object.as_str()))
    }

    /// Keeps a note of the strategy's: escaped, and cut where the call's share is used up.
    pub fn note(&mut self, text: &str) {
        for character in text.chars() {
            let room = NOTE_BYTES.saturating_sub(self.note.len());
            if character.is_control() {
                let escaped = character.escape_default();
                if escaped.len() > room {
                    return;
                }
                self.note.extend(escaped);
            } else {
                if character.len_utf8() > room {
                    return;
                }
                self.note.push(character);
            }
        }
    }

    /// The notes.
    pub fn notes(&self) -> &str {
        &self.note
    }
}

/// When a phase of a request began.
pub struct Phase(Instant);

impl Phase {
    /// It begins now.
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// How long it took so far.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_escaped_and_capped() {
        let mut ledger = Ledger::default();
        ledger.note("a\u{1b}[31m\r\nb");
        assert_eq!(ledger.notes(), "a\\u{1b}[31m\\r\\nb");
        ledger.note(&"é".repeat(2000));
        assert!(ledger.notes().len() <= NOTE_BYTES);
        ledger.begin();
        assert_eq!(ledger.notes(), "");
    }

    #[test]
    fn a_new_request_counts_from_nothing() {
        let mut ledger = Ledger::default();
        ledger.statement("SELECT 1").unwrap().runs = 3;
        ledger.called(Call::Query, Duration::from_micros(5));
        ledger.denied("read", "log.x");
        ledger.begin();
        assert_eq!(ledger.statements().count(), 0);
        assert_eq!(ledger.calls().count(), 0);
        assert_eq!(ledger.denials().count(), 0);
        ledger.statement("SELECT 1").unwrap().runs = 1;
        assert_eq!(ledger.statements().count(), 1);
    }

    #[test]
    fn statement_texts_are_bounded() {
        let mut ledger = Ledger::default();
        for n in 0..TEXTS {
            ledger.statement(&format!("SELECT {n}")).unwrap().runs = 1;
        }
        assert!(ledger.statement("SELECT 'one more'").is_none());
        assert!(ledger.statement("SELECT 3").is_some());
        ledger.begin();
        ledger.statement("SELECT 'one more'").unwrap().runs = 1;
        assert_eq!(ledger.statements().count(), 1);
    }
}

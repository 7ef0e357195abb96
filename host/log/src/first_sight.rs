//! The first sight of a text in a session: what it would touch, and what its program does. A text that
//! has passed is not looked at again.

use rusqlite::{OptionalExtension, PrepFlags};

use crate::error::Error;
use crate::log::gate::{Author, is_module};
use crate::log::session::{HOST, Session};
use crate::log::touched::Touched;
use crate::log::{growth, joins};

/// Terms that a text may become: ten times the most of any statement of the keyset strategy's, a hundred
/// times that of a report. SQLite keeps some 100 bytes for each.
const TERMS: u64 = 500_000;

/// Comparisons with a pattern in one program. Each may take some milliseconds on the longest text, and
/// nothing interrupts a run of them that does not loop.
const PATTERNS: usize = 16;

/// Calls of functions in one program, for the same reason: on the longest text, some 0.1 ms each.
const CALLS: usize = 500;

impl Session {
    /// Checks a text that this session has not run yet, and enters what it touches into the ledger.
    pub(super) fn first_sight(&mut self, sql: &str) -> Result<(), Error> {
        if self.ledger.has_passed(sql) {
            return Ok(());
        }
        if growth::bound(sql) > TERMS {
            return Err(self.deny("statement", "one that repeats its own parts without end"));
        }
        if let Some(join) = joins::unasked(sql, self.gate.columns()) {
            return Err(self.deny("read", &join));
        }
        self.admit(self.author)?;
        let (touched, prepared) = self.prepare_once(sql);
        self.admit(Author::Host)?;
        let denial = self.gate.take_denial();
        let outcome = match (denial, prepared) {
            (Some(denial), _) => Err(denial),
            (None, Err(error)) => Err(match self.virtual_table(&error) {
                Some(name) => Error::Denied { rule: "virtual-table", object: name },
                None => error.into(),
            }),
            (None, Ok(true)) => self.check_program(sql),
            // Nothing explains an explanation; and it does not run.
            (None, Ok(false)) => Ok(()),
        };
        let tables = self.tables(touched.tables, touched.unplaced);
        let entry = self.ledger.statement(sql);
        if let Some(entry) = entry {
            entry.tables = tables;
            entry.columns = touched.columns;
            entry.functions = touched.functions;
            entry.passed = outcome.is_ok();
            entry.runs += u64::from(outcome.is_err());
        }
        outcome.map_err(|error| self.blame(error))
    }

    /// Prepares the text once and drops it again. What it touches, and whether it is a statement that
    /// does something, rather than explains it. Where no virtual table is granted, SQLite does not even look for one.
    fn prepare_once(&self, sql: &str) -> (Touched, rusqlite::Result<bool>) {
        let flags = if self.gate.grants_virtual_tables() {
            PrepFlags::empty()
        } else {
            PrepFlags::SQLITE_PREPARE_NO_VTAB
        };
        self.gate.begin_text(sql.trim());
        let prepared = self.connection.prepare_with_flags(sql.trim(), flags);
        let outcome = prepared.map(|statement| statement.is_explain() == 0);
        (self.gate.end_text(), outcome)
    }

    /// The virtual table that a text names, where that is why it was not prepared.
    fn virtual_table(&self, error: &rusqlite::Error) -> Option<String> {
        let text = error.to_string();
        let (_, name) = text.split_once("no such table: ")?;
        let name = name.split(" in ").next().unwrap_or(name);
        let (_, table) = name.rsplit_once('.').unwrap_or(("", name));
        let find = "SELECT 1 FROM scratch.sqlite_schema \
                    WHERE name = ?1 COLLATE NOCASE AND sql LIKE 'CREATE VIRTUAL%'";
        let made = || self.connection.query_row(find, [table], |_| Ok(())).optional();
        (is_module(table) || (self.scratch_is_attached() && made().is_ok_and(|found| found.is_some())))
            .then(|| table.to_owned())
    }

    /// The tables of a text: the placed ones, and of the others those that exist in scratch.
    fn tables(&self, mut tables: Vec<String>, unplaced: Vec<String>) -> Vec<String> {
        if !self.scratch_is_attached() {
            return tables;
        }
        let find = "/*keyhole*/ SELECT 1 FROM scratch.sqlite_schema WHERE name = ?1 COLLATE NOCASE";
        for name in unplaced {
            let exists = self.connection.prepare_cached(find).and_then(|mut find| find.exists([&name]));
            let placed = format!("scratch.{name}");
            if exists.unwrap_or(false) && !tables.contains(&placed) {
                tables.push(placed);
            }
        }
        tables
    }

    /// Reads the program that SQLite made of the text. Only there does it show how often an expression
    /// that was written once is computed.
    fn check_program(&self, sql: &str) -> Result<(), Error> {
        let explained = format!("{HOST} EXPLAIN {sql}");
        let mut statement = self.connection.prepare(&explained)?;
        let (mut patterns, mut calls) = (0, 0);
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let opcode = row.get_ref(1)?.as_str().unwrap_or_default();
            if matches!(opcode, "Function" | "PureFunc") {
                calls += 1;
                let function = row.get_ref(5)?.as_str().unwrap_or_default();
                patterns += usize::from(function.starts_with("like(") || function.starts_with("glob("));
            }
        }
        let object = match () {
            () if patterns > PATTERNS => format!("more than {PATTERNS} comparisons with a pattern"),
            () if calls > CALLS => format!("more than {CALLS} calls"),
            () => return Ok(()),
        };
        Err(Error::Denied { rule: "function", object })
    }
}

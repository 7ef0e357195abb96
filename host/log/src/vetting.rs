//! The vetting of a text when a session first sees it: what it would touch, and what its program does. A text that
//! has passed is not looked at again.

use rusqlite::{Connection, OptionalExtension, PrepFlags};

use crate::authorizer::{Authorizer, is_module};
use crate::connection::HOST;
use crate::error::Error;
use crate::sql_text::{expanded_terms, ungranted_join};
use crate::touched::Touched;
use crate::weight::Weight;

/// Terms that a text may become: ten times the most of any statement of the keyset strategy's, a hundred
/// times that of a report. SQLite keeps some 100 bytes for each.
const TERMS: u64 = 500_000;

/// Comparisons with a pattern in one program. Each may take some milliseconds on the longest text, and
/// nothing interrupts a run of them that does not loop.
const PATTERNS: usize = 16;

/// Calls of functions in one program, for the same reason: on the longest text, some 0.1 ms each.
const CALLS: usize = 500;

/// What vets the texts of one connection.
pub(crate) struct Vetting<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) authorizer: &'a Authorizer,
    /// Whether scratch is attached.
    pub(crate) has_scratch: bool,
}

impl Vetting<'_> {
    /// Refuses a text by its words alone, before SQLite reads it.
    pub(crate) fn check_text(&self, sql: &str) -> Result<(), Error> {
        let denied = |rule, object| Err(Error::Denied { rule, object });
        if expanded_terms(sql) > TERMS {
            return denied("statement", "one that repeats its own parts without end".to_owned());
        }
        match ungranted_join(sql, self.authorizer.columns()) {
            Some(join) => denied("read", join),
            None => Ok(()),
        }
    }

    /// Whether a text may run that was prepared once, by what came of it and by its program; and how long a value may
    /// be that it deals with.
    pub(crate) fn judge(&self, sql: &str, prepared: rusqlite::Result<bool>) -> Result<u64, Error> {
        match (self.authorizer.take_denial(), prepared) {
            (Some(denial), _) => Err(denial),
            (None, Err(error)) => Err(match self.virtual_table(&error) {
                Some(name) => Error::Denied { rule: "virtual-table", object: name },
                None => error.into(),
            }),
            (None, Ok(true)) => self.check_program(sql),
            // Nothing explains an explanation; and it does not run.
            (None, Ok(false)) => Ok(u64::MAX),
        }
    }

    /// Prepares the text once and drops it again. What it touches, and whether it is a statement that
    /// does something, rather than explains it. Where no virtual table is granted, SQLite does not even look for one.
    pub(crate) fn prepare_once(&self, sql: &str) -> (Touched, rusqlite::Result<bool>) {
        let flags = if self.authorizer.grants_virtual_tables() {
            PrepFlags::empty()
        } else {
            PrepFlags::SQLITE_PREPARE_NO_VTAB
        };
        self.authorizer.begin_text(sql.trim());
        let prepared = self.connection.prepare_with_flags(sql.trim(), flags);
        let outcome = prepared.map(|statement| statement.is_explain() == 0);
        (self.authorizer.end_text(), outcome)
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
        (is_module(table) || (self.has_scratch && made().is_ok_and(|found| found.is_some())))
            .then(|| table.to_owned())
    }

    /// The tables of a text: the placed ones, and of the others those that exist in scratch.
    pub(crate) fn tables(&self, mut tables: Vec<String>, unplaced: Vec<String>) -> Vec<String> {
        if !self.has_scratch {
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
    fn check_program(&self, sql: &str) -> Result<u64, Error> {
        let explained = format!("{HOST} EXPLAIN {sql}");
        let mut statement = self.connection.prepare(&explained)?;
        let (mut patterns, mut calls, mut weight) = (0, 0, Weight::default());
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let opcode = row.get_ref(1)?.as_str().unwrap_or_default();
            weight.add(opcode);
            if matches!(opcode, "Function" | "PureFunc") {
                calls += 1;
                let function = row.get_ref(5)?.as_str().unwrap_or_default();
                if function.starts_with("like(") || function.starts_with("glob(") {
                    patterns += 1;
                    weight.add_pattern();
                }
            }
        }
        let object = match () {
            () if patterns > PATTERNS => format!("more than {PATTERNS} comparisons with a pattern"),
            () if calls > CALLS => format!("more than {CALLS} calls"),
            () => return Ok(weight.longest_value()),
        };
        Err(Error::Denied { rule: "function", object })
    }
}

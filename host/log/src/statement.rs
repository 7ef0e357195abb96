//! Running a strategy's statements: past the authorizer, inside the budget, into the ledger.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, StatementStatus};

use crate::authorizer::{Author, Authorizer};
use crate::budget::Budget;
use crate::connection::{self, HOST};
use crate::error::{Bound, Error};
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::value::{Rows, Value};
use crate::vetting::Vetting;
use crate::{lockdown, overdue, sqlite_memory};

/// Semicolons that a text may hold, in its texts and comments too.
const SEMICOLONS: usize = 16;

/// What stands for a plan that was not made in time.
const TOO_SLOW: &str = "no plan: too slow";

/// A connection, and what bounds the statements that a strategy runs on it.
pub(crate) struct StatementRunner {
    pub(crate) connection: Connection,
    pub(crate) authorizer: Arc<Authorizer>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) limits: Limits,
    /// Whose statements run here: a page's, or a refresh's.
    pub(crate) author: Author,
    /// The database that an error is about: the log's, or the scratch that is refreshed.
    pub(crate) database: PathBuf,
    /// Whether scratch is attached.
    pub(crate) has_scratch: bool,
    /// The bound on scratch: the quota, or whichever struck.
    pub(crate) bound: Arc<Mutex<Bound>>,
    /// How long a value may be in the statement that runs, or ran last, by the weight of its program.
    pub(crate) longest_value: Cell<u64>,
}

impl StatementRunner {
    /// Runs one SELECT and returns its rows.
    pub(crate) fn query(&self, ledger: &mut Ledger, sql: &str, params: &[Value]) -> Result<Rows, Error> {
        let mut rows = Rows { columns: Vec::new(), cells: Vec::new() };
        let mut bytes = 0u64;
        let allowed = self.limits.result_bytes;
        rows.columns = self.run(ledger, sql, params, |row| {
            let width = row.as_ref().column_count();
            rows.cells.reserve(width);
            for column in 0..width {
                let cell = Value::of(row.get_ref(column)?)?;
                bytes += 8 + match &cell {
                    Value::Text(text) => text.len() as u64,
                    Value::Blob(blob) => blob.len() as u64,
                    _ => 0,
                };
                rows.cells.push(cell);
            }
            if bytes > allowed {
                return Err(Error::Budget { limit: "result_bytes", allowed });
            }
            Ok(())
        })?;
        ledger.boundary_bytes += bytes;
        Ok(rows)
    }

    /// Runs one SELECT whose first column is an id, and returns these ids: no more than there is room for.
    pub(crate) fn select(
        &self,
        ledger: &mut Ledger,
        sql: &str,
        params: &[Value],
        room: u64,
    ) -> Result<Vec<i64>, Error> {
        let mut ids = Vec::new();
        self.run(ledger, sql, params, |row| {
            let ValueRef::Integer(id) = row.get_ref(0)? else {
                return Err(Error::Sql {
                    what: "the first column of a select must be an event's id".to_owned(),
                });
            };
            if ids.len() as u64 >= room {
                return Err(Error::Budget { limit: "handles", allowed: self.limits.handles });
            }
            ids.push(id);
            Ok(())
        })?;
        Ok(ids)
    }

    /// Runs one statement of a refresh, once or once for each group of parameters, and returns how many rows it
    /// changed.
    pub(crate) fn execute(
        &self,
        ledger: &mut Ledger,
        sql: &str,
        params: &[Value],
        once: bool,
    ) -> Result<u64, Error> {
        self.check_text(ledger, sql)?;
        self.vet(ledger, sql)?;
        self.admit(self.author)?;
        // Nobody waits for a refresh.
        self.longest_value.set(u64::MAX);
        let mut measured = Measured::default();
        let outcome = (|| {
            let mut statement = self.connection.prepare_cached(sql)?;
            let width = statement.parameter_count();
            if statement.column_count() > 0 {
                return Err(Error::Sql { what: "an execute must not return rows: use query".to_owned() });
            }
            let groups = if once || width == 0 { 1 } else { params.len() / width };
            if groups * width != params.len() {
                return Err(Error::Sql {
                    what: format!("{} parameters given, but the statement takes {width}", params.len()),
                });
            }
            // The count of one run would be that of the statement before, for a CREATE or DROP.
            let before = self.connection.total_changes();
            for group in 0..groups {
                for (place, param) in params.iter().skip(group * width).take(width).enumerate() {
                    statement.raw_bind_parameter(place + 1, param)?;
                }
                statement.raw_execute()?;
                measured.runs += 1;
            }
            measured.take(&statement);
            Ok(self.connection.total_changes() - before)
        })();
        self.admit(Author::Host)?;
        measured.enter(ledger, sql);
        outcome.map_err(|error| self.blame(ledger, error))
    }

    /// Runs a strategy's SELECT, row by row, and returns the names of its columns.
    fn run(
        &self,
        ledger: &mut Ledger,
        sql: &str,
        params: &[Value],
        mut each: impl FnMut(&rusqlite::Row<'_>) -> Result<(), Error>,
    ) -> Result<Vec<String>, Error> {
        self.check_text(ledger, sql)?;
        let longest = self.vet(ledger, sql)?;
        self.admit(self.author)?;
        self.longest_value.set(longest);
        let room = self.limits.rows.saturating_sub(ledger.rows);
        let mut measured = Measured { runs: 1, ..Measured::default() };
        let outcome = (|| {
            let mut statement = self.connection.prepare_cached(sql)?;
            if !statement.readonly() || statement.column_count() == 0 || statement.is_explain() != 0 {
                return Err(Error::Denied { rule: "statement", object: "anything but a SELECT".to_owned() });
            }
            if statement.parameter_count() != params.len() {
                return Err(Error::Sql {
                    what: format!(
                        "{} parameters given, but the statement takes {}",
                        params.len(),
                        statement.parameter_count()
                    ),
                });
            }
            if longest < self.limits.value_bytes {
                lockdown::bound_values(&self.connection, self.author, longest)?;
            }
            for (place, param) in params.iter().enumerate() {
                statement.raw_bind_parameter(place + 1, param)?;
            }
            let columns = statement.column_names().map(str::to_owned).collect();
            let mut rows = statement.raw_query();
            let walked = loop {
                match rows.next() {
                    Ok(Some(row)) => {
                        measured.rows += 1;
                        if measured.rows > room {
                            break Err(Error::Budget { limit: "rows", allowed: self.limits.rows });
                        }
                        if let Err(error) = each(row) {
                            break Err(error);
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error.into()),
                }
            };
            drop(rows);
            measured.take(&statement);
            // What was cut need not know it: no instruction may have looked after the last one that was cut short.
            if walked.is_ok() && self.budget.is_overdue() {
                return Err(self.without_memory());
            }
            walked.map(|()| columns)
        })();
        self.admit(Author::Host)?;
        ledger.rows += measured.rows;
        measured.enter(ledger, sql);
        outcome.map_err(|error| self.blame(ledger, error))
    }

    /// SQLite's plan for a text that has run already, or was refused: some statements do their work
    /// when they are prepared, `PRAGMA query_only = OFF` even as part of an EXPLAIN, so it goes through
    /// the authorizer like the text itself.
    pub(crate) fn explain(&self, sql: &str) -> Vec<String> {
        if self.budget.is_overdue() {
            return vec![TOO_SLOW.to_owned()];
        }
        let explained = format!("{HOST} EXPLAIN QUERY PLAN {sql}");
        self.admit_unbounded(self.author);
        let plan = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare(&explained)?;
            statement.raw_query().mapped(|row| row.get(3)).collect()
        };
        let plan = plan().unwrap_or_else(|error| {
            vec![if self.budget.is_overdue() { TOO_SLOW.to_owned() } else { format!("no plan: {error}") }]
        });
        self.admit_unbounded(Author::Host);
        // It has been reported already.
        drop(self.authorizer.take_denial());
        plan
    }

    /// What SQLite would parse too deeply or show wrongly is refused before it sees it.
    fn check_text(&self, ledger: &mut Ledger, sql: &str) -> Result<(), Error> {
        if sql.len() as u64 > self.limits.sql_bytes {
            return Err(Error::Budget { limit: "sql_bytes", allowed: self.limits.sql_bytes });
        }
        if sql.contains('\0') {
            return Err(ledger.deny("statement", "a NUL in its text"));
        }
        // One after another they would be looked for by recursion, and exhaust a host thread's stack.
        let semicolons = sql.bytes().filter(|&byte| byte == b';').count();
        if semicolons > SEMICOLONS {
            return Err(ledger.deny("statement", "more than one in a text"));
        }
        // The prepared statements of a connection are found by their text, and the host's own were
        // prepared without the authorizer.
        if sql.trim_start().starts_with(HOST) {
            return Err(ledger.deny("statement", "the host's mark"));
        }
        Ok(())
    }

    /// Statements are this author's from now on, and what they make is bounded accordingly.
    pub(crate) fn admit(&self, author: Author) -> Result<(), Error> {
        lockdown::bound_values(&self.connection, author, self.limits.value_bytes)?;
        self.admit_unbounded(author);
        Ok(())
    }

    /// The same, but for the size of values.
    fn admit_unbounded(&self, author: Author) {
        self.authorizer.admit(author);
        sqlite_memory::allocate_for(author);
        if author == Author::Host {
            overdue::leave();
        } else {
            self.budget.run_here();
        }
    }

    /// Vets a text that this session has not run yet, and enters what it touches into the ledger. How long a value may
    /// be that it deals with.
    fn vet(&self, ledger: &mut Ledger, sql: &str) -> Result<u64, Error> {
        if let Some(longest) = ledger.passed(sql) {
            return Ok(longest);
        }
        let vetting = Vetting {
            connection: &self.connection,
            authorizer: &self.authorizer,
            has_scratch: self.has_scratch,
        };
        vetting.check_text(sql).map_err(|error| self.blame(ledger, error))?;
        self.admit(self.author)?;
        let (touched, prepared) = vetting.prepare_once(sql);
        self.admit(Author::Host)?;
        let outcome = vetting.judge(sql, prepared);
        let outcome = outcome.map(|longest| if self.author == Author::Page { longest } else { u64::MAX });
        let tables = vetting.tables(touched.tables, touched.unplaced);
        if let Some(entry) = ledger.statement(sql) {
            entry.tables = tables;
            entry.columns = touched.columns;
            entry.functions = touched.functions;
            entry.passed = outcome.is_ok();
            entry.longest_value = outcome.as_ref().copied().unwrap_or_default();
            entry.runs += u64::from(outcome.is_err());
        }
        outcome.map_err(|error| self.blame(ledger, error))
    }

    /// Turns SQLite's error into what it means for the strategy.
    pub(crate) fn blame(&self, ledger: &mut Ledger, error: Error) -> Error {
        if let Some(Error::Denied { rule, object }) = self.authorizer.take_denial() {
            return ledger.deny(rule, &object);
        }
        match error {
            Error::Denied { rule, object } => ledger.deny(rule, &object),
            // What is cut in mid-instruction ends in one way or another.
            Error::Sqlite(_) if self.budget.is_overdue() => self.without_memory(),
            Error::Sqlite(rusqlite::Error::MultipleStatement) => {
                ledger.deny("statement", "more than one in a text")
            }
            Error::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::OutOfMemory) => self.without_memory(),
                Some(ErrorCode::TooBig) if self.longest_value.get() < self.limits.value_bytes => {
                    Error::Budget { limit: "sql_weight", allowed: self.longest_value.get() }
                }
                Some(ErrorCode::TooBig) => {
                    Error::Budget { limit: "value_bytes", allowed: self.limits.value_bytes }
                }
                Some(
                    ErrorCode::OperationInterrupted
                    | ErrorCode::DiskFull
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::ReadOnly,
                ) => self.classify(error),
                _ => Error::Sql { what: one_line(&error) },
            },
            other => other,
        }
    }

    /// What an error of SQLite means for the log, or for the scratch that is refreshed.
    pub(crate) fn classify(&self, error: rusqlite::Error) -> Error {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => {
                match self.budget.error(&self.limits).unwrap_or(Error::Interrupted) {
                    Error::Budget { limit: "scratch_quota", .. } => self.scratch_full(),
                    other => other,
                }
            }
            Some(ErrorCode::DiskFull) if self.author == Author::Refresh => self.scratch_full(),
            _ => connection::classify(error, &self.database),
        }
    }

    /// Why a statement got no memory: it was over its time, or has had all that it may have.
    pub(crate) fn without_memory(&self) -> Error {
        match self.budget.error(&self.limits) {
            Some(Error::Budget { limit: "scratch_quota", .. }) => self.scratch_full(),
            Some(error) => error,
            None => Error::Budget { limit: "sql_memory", allowed: sqlite_memory::PAGE_BYTES },
        }
    }

    /// By the bound that struck; by the quota, where SQLite itself kept to it.
    fn scratch_full(&self) -> Error {
        Error::ScratchFull { bound: *self.bound.lock().unwrap_or_else(PoisonError::into_inner) }
    }
}

#[derive(Default)]
struct Measured {
    runs: u64,
    rows: u64,
    vm_steps: u64,
    full_scan_steps: u64,
    sorts: u64,
    automatic_indexes: u64,
}

impl Measured {
    fn enter(&self, ledger: &mut Ledger, sql: &str) {
        match ledger.statement(sql) {
            Some(entry) => {
                entry.runs += self.runs;
                entry.rows += self.rows;
                entry.vm_steps += self.vm_steps;
                entry.full_scan_steps += self.full_scan_steps;
                entry.sorts += self.sorts;
                entry.automatic_indexes += self.automatic_indexes;
            }
            None => ledger.other_runs += self.runs,
        }
    }

    fn take(&mut self, statement: &rusqlite::Statement<'_>) {
        let counter = |status| u64::from(statement.reset_status(status).unsigned_abs());
        self.vm_steps += counter(StatementStatus::VmStep);
        self.full_scan_steps += counter(StatementStatus::FullscanStep);
        self.sorts += counter(StatementStatus::Sort);
        self.automatic_indexes += counter(StatementStatus::AutoIndex);
    }
}

fn one_line(error: &rusqlite::Error) -> String {
    let text = error.to_string();
    text.split(['\n', '\r']).next().unwrap_or_default().chars().take(200).collect()
}

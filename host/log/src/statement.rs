//! Running a strategy's statements: through the gate, inside the budget, into the ledger.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, StatementStatus};

use crate::bindings::types::{Rows, Value};
use crate::error::Error;
use crate::ledger::StatementUse;
use crate::log::gate::Author;
use crate::log::session::{HOST, Session};
use crate::log::{heap, lockdown};

/// Semicolons that a text may hold, in its texts and comments too.
const SEMICOLONS: usize = 16;

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Real(real) => ValueRef::Real(*real),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(blob) => ValueRef::Blob(blob),
        }))
    }
}

impl Session {
    /// Runs one SELECT and returns its rows.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Rows, Error> {
        let mut rows = Rows { columns: Vec::new(), cells: Vec::new() };
        let mut bytes = 0u64;
        let allowed = self.limits.result_bytes;
        self.run(sql, params, |row| {
            let width = row.as_ref().column_count();
            rows.cells.reserve(width);
            for column in 0..width {
                let cell = value(row.get_ref(column)?)?;
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
        })
        .map(|columns| rows.columns = columns)?;
        self.ledger.boundary_bytes += bytes;
        Ok(rows)
    }

    /// Runs one SELECT whose first column is an id, and claims those events.
    pub fn select(&mut self, sql: &str, params: &[Value]) -> Result<Vec<u32>, Error> {
        self.needs_log("select")?;
        let first = self.claims.len();
        let mut ids = std::mem::take(&mut self.claims);
        let room = self.handles_left(ids.len());
        let outcome = self.run(sql, params, |row| {
            let ValueRef::Integer(id) = row.get_ref(0)? else {
                return Err(Error::Sql {
                    what: "the first column of a select must be an event's id".to_owned(),
                });
            };
            if (ids.len() - first) as u64 >= room {
                return Err(Error::Budget { limit: "handles", allowed: 0 });
            }
            ids.push(id);
            Ok(())
        });
        self.claims = ids;
        match outcome {
            Ok(_) => self.mint_from(first),
            Err(error) => {
                self.claims.truncate(first);
                Err(match error {
                    Error::Budget { limit: "handles", .. } => {
                        Error::Budget { limit: "handles", allowed: self.limits.handles }
                    }
                    other => other,
                })
            }
        }
    }

    /// Runs one statement of a refresh and returns how many rows it changed.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        self.execute_groups(sql, params, true)
    }

    /// Runs one statement of a refresh once for each group of parameters.
    pub fn execute_many(&mut self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        self.execute_groups(sql, params, false)
    }

    fn execute_groups(&mut self, sql: &str, params: &[Value], once: bool) -> Result<u64, Error> {
        if self.author != Author::Refresh {
            return Err(self.deny("write", "scratch, while a page is answered"));
        }
        self.check_text(sql)?;
        self.first_sight(sql)?;
        self.admit(Author::Refresh)?;
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
        self.record(sql, &measured);
        outcome.map_err(|error| self.blame(error))
    }

    /// Runs a strategy's SELECT, row by row, and returns the names of its columns.
    fn run(
        &mut self,
        sql: &str,
        params: &[Value],
        mut each: impl FnMut(&rusqlite::Row<'_>) -> Result<(), Error>,
    ) -> Result<Vec<String>, Error> {
        self.check_text(sql)?;
        self.first_sight(sql)?;
        self.admit(self.author)?;
        let room = self.limits.rows.saturating_sub(self.ledger.rows);
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
                            break Err(Error::Budget { limit: "rows", allowed: room });
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
            walked.map(|()| columns)
        })();
        self.admit(Author::Host)?;
        self.ledger.rows += measured.rows;
        self.record(sql, &measured);
        outcome.map_err(|error| match error {
            Error::Budget { limit: "rows", .. } => Error::Budget { limit: "rows", allowed: self.limits.rows },
            other => self.blame(other),
        })
    }

    /// Fills in the plans of the running call's statements, but for those that `known` knows already.
    pub fn explain_new(&mut self, known: impl Fn(&str) -> bool) {
        let is_new = |statement: &&StatementUse| statement.plan.is_empty() && !known(&statement.sql);
        let texts: Vec<String> =
            self.ledger.statements().filter(is_new).map(|statement| statement.sql.clone()).collect();
        for sql in texts {
            let plan = self.explain(&sql);
            if let Some(statement) = self.ledger.statement(&sql) {
                statement.plan = plan;
            }
        }
    }

    /// SQLite's plan for a text that has run already, or was refused: some statements do their work
    /// when they are prepared, `PRAGMA query_only = OFF` even as part of an EXPLAIN, so it goes through
    /// the gate like the text itself.
    pub fn explain(&mut self, sql: &str) -> Vec<String> {
        let explained = format!("{HOST} EXPLAIN QUERY PLAN {sql}");
        self.gate.admit(self.author);
        let plan = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare(&explained)?;
            statement.raw_query().mapped(|row| row.get(3)).collect()
        };
        let plan = plan().unwrap_or_else(|error| vec![format!("no plan: {error}")]);
        self.gate.admit(Author::Host);
        // It has been reported already.
        drop(self.gate.take_denial());
        plan
    }

    /// What SQLite would parse too deeply or show wrongly is refused before it sees it.
    fn check_text(&mut self, sql: &str) -> Result<(), Error> {
        self.budget.check(&self.limits)?;
        self.check_transaction()?;
        if sql.len() as u64 > self.limits.sql_bytes {
            return Err(Error::Budget { limit: "sql_bytes", allowed: self.limits.sql_bytes });
        }
        if sql.contains('\0') {
            return Err(self.deny("statement", "a NUL in its text"));
        }
        // One after another they would be looked for by recursion, and exhaust a host thread's stack.
        let semicolons = sql.bytes().filter(|&byte| byte == b';').count();
        if semicolons > SEMICOLONS {
            return Err(self.deny("statement", "more than one in a text"));
        }
        // The prepared statements of a connection are found by their text, and the host's own were
        // prepared without the gate.
        if sql.trim_start().starts_with(HOST) {
            return Err(self.deny("statement", "the host's mark"));
        }
        Ok(())
    }

    /// Statements are this author's from now on, and what they make is bounded accordingly.
    pub(super) fn admit(&self, author: Author) -> Result<(), Error> {
        lockdown::bound_values(&self.connection, author, self.limits.value_bytes)?;
        self.gate.admit(author);
        Ok(())
    }

    fn record(&mut self, sql: &str, measured: &Measured) {
        match self.ledger.statement(sql) {
            Some(entry) => {
                entry.runs += measured.runs;
                entry.rows += measured.rows;
                entry.vm_steps += measured.vm_steps;
                entry.full_scan_steps += measured.full_scan_steps;
                entry.sorts += measured.sorts;
                entry.automatic_indexes += measured.automatic_indexes;
            }
            None => self.ledger.other_runs += measured.runs,
        }
    }

    /// Turns SQLite's error into what it means for the strategy.
    pub(super) fn blame(&mut self, error: Error) -> Error {
        if let Some(Error::Denied { rule, object }) = self.gate.take_denial() {
            return self.deny(rule, &object);
        }
        match error {
            Error::Denied { rule, object } => self.deny(rule, &object),
            Error::Sqlite(rusqlite::Error::MultipleStatement) => {
                self.deny("statement", "more than one in a text")
            }
            Error::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::OutOfMemory) => {
                    Error::Budget { limit: "sql_memory", allowed: heap::PAGE_BYTES }
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
    fn take(&mut self, statement: &rusqlite::Statement<'_>) {
        let counter = |status| u64::from(statement.reset_status(status).unsigned_abs());
        self.vm_steps += counter(StatementStatus::VmStep);
        self.full_scan_steps += counter(StatementStatus::FullscanStep);
        self.sorts += counter(StatementStatus::Sort);
        self.automatic_indexes += counter(StatementStatus::AutoIndex);
    }
}

fn value(cell: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => return Err(Error::Sql { what: "a text in the result is not UTF-8".to_owned() }),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
    })
}

fn one_line(error: &rusqlite::Error) -> String {
    let text = error.to_string();
    text.split(['\n', '\r']).next().unwrap_or_default().chars().take(200).collect()
}

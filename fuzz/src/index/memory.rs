//! A log, its feed and scratch in memory, behind the strategy's traits.

use guest_keyset::{PageRequest, Param, Progress, Reader, Rows, Writer};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::model::Event;

/// The log, and the strategy's tables.
pub(super) struct Memory {
    connection: Connection,
    /// The log's events, in order of id.
    pub(super) events: Vec<Event>,
}

impl Memory {
    pub(super) fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.set_prepared_statement_cache_capacity(128);
        connection
            .execute_batch(
                "ATTACH ':memory:' AS scratch;
                ATTACH ':memory:' AS feed;
                PRAGMA main.journal_mode = OFF;
                PRAGMA scratch.journal_mode = OFF;
                PRAGMA feed.journal_mode = OFF;
                CREATE TABLE audit_events (id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL,
                    actor_id INTEGER NOT NULL, action TEXT NOT NULL);
                CREATE INDEX idx_created_at ON audit_events (created_at);
                CREATE TABLE feed.events (id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL,
                    actor_id INTEGER NOT NULL, action TEXT NOT NULL);",
            )
            .unwrap();
        let mut memory = Self { connection, events: Vec::new() };
        // The host asks for no page before a first refresh, even of an empty log.
        memory.refresh();
        memory
    }

    /// Empties the log and the strategy's tables: what is prepared stays prepared.
    pub(super) fn clear(&mut self) {
        self.events.clear();
        let tables = "SELECT 'scratch.' || name FROM scratch.sqlite_master WHERE type = 'table'
            UNION ALL VALUES ('main.audit_events'), ('feed.events')";
        let mut tables = self.connection.prepare_cached(tables).unwrap();
        let names = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
        for name in names.collect::<rusqlite::Result<Vec<_>>>().unwrap() {
            self.connection.prepare_cached(&format!("DELETE FROM {name}")).unwrap().execute([]).unwrap();
        }
        drop(tables);
        self.refresh();
    }

    /// Appends to the log and to the feed.
    pub(super) fn append(&mut self, event: Event) {
        self.events.push(event);
        for table in ["main.audit_events", "feed.events"] {
            let sql = format!("INSERT INTO {table} VALUES (?1, ?2, ?3, ?4)");
            let row = (self.high_water(), event.created_at, event.actor_id, event.action);
            self.connection.prepare_cached(&sql).unwrap().execute(row).unwrap();
        }
    }

    /// One slice.
    pub(super) fn refresh(&mut self) -> Progress {
        let through = self.high_water();
        self.connection.execute_batch("BEGIN").unwrap();
        let progress = guest_keyset::refresh(self, through).unwrap();
        self.connection.execute_batch("COMMIT").unwrap();
        progress
    }

    pub(super) fn page(&mut self, request: &PageRequest<'_>) -> Vec<i64> {
        guest_keyset::page(self, request).unwrap()
    }
}

/// What a query returned.
pub(super) struct Cells(Vec<Vec<Option<i64>>>);

impl Rows for Cells {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn integer(&self, row: usize, column: usize) -> Option<i64> {
        *self.0.get(row)?.get(column)?
    }
}

fn values(params: &[Param<'_>]) -> Vec<Value> {
    params
        .iter()
        .map(|param| match *param {
            Param::Null => Value::Null,
            Param::Integer(integer) => Value::Integer(integer),
            Param::Text(text) => Value::Text(text.to_owned()),
        })
        .collect()
}

impl Reader for Memory {
    type Rows = Cells;
    type Event = i64;
    type Error = String;

    fn high_water(&mut self) -> i64 {
        i64::try_from(self.events.len()).unwrap()
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Cells, String> {
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let width = statement.column_count();
            let rows = statement.query_map(params_from_iter(values(params)), |row| {
                // A cell that is no integer is none to the strategy, as in the sandbox.
                (0..width).map(|column| row.get::<_, Value>(column).map(integer)).collect()
            })?;
            rows.collect::<rusqlite::Result<_>>()
        };
        run().map(Cells).map_err(|error| format!("{error} in {sql}"))
    }

    fn select(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<i64>, String> {
        let rows = self.query(sql, params)?;
        Ok((0..rows.len()).map(|row| rows.integer(row, 0).unwrap()).collect())
    }

    fn fetch(&mut self, ids: &[i64]) -> Result<Vec<i64>, String> {
        Ok(ids.to_vec())
    }

    fn broken(what: &str) -> String {
        what.to_owned()
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is mapped over values")]
fn integer(value: Value) -> Option<i64> {
    match value {
        Value::Integer(integer) => Some(integer),
        _ => None,
    }
}

impl Writer for Memory {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, String> {
        let run = || self.connection.prepare_cached(sql)?.execute(params_from_iter(values(params)));
        run().map(|changed| changed as u64).map_err(|error| format!("{error} in {sql}"))
    }

    fn execute_many(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, String> {
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let width = statement.parameter_count();
            params.chunks(width).map(|group| statement.execute(params_from_iter(values(group)))).sum()
        };
        let changed: rusqlite::Result<usize> = run();
        changed.map(|changed| changed as u64).map_err(|error| format!("{error} in {sql}"))
    }
}

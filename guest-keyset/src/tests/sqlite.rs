//! A log, a feed and scratch in memory, behind the strategy's traits, with the host's rules: a page
//! only reads, a refresh does not see the log, and only the granted functions may be called.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::{Null, ToSqlOutput};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::model::Event;
use crate::{PageRequest, Param, Progress, Reader, Rows, Writer, page, refresh};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Setup,
    Page,
    Refresh,
}

const FUNCTIONS: [&str; 10] =
    ["count", "sum", "min", "max", "total", "coalesce", "ifnull", "abs", "length", "row_number"];

fn may(phase: Phase, context: &AuthContext<'_>) -> bool {
    let scratch = context.database_name == Some("scratch");
    match context.action {
        _ if phase == Phase::Setup => true,
        AuthAction::Select => true,
        AuthAction::Function { function_name } => FUNCTIONS.contains(&function_name),
        // A subquery has no database; DDL may write the schema tables of scratch alone.
        AuthAction::Read { table_name, .. } => {
            scratch
                || context.database_name.is_none()
                || match phase {
                    Phase::Page => table_name == "audit_events",
                    _ => context.database_name == Some("feed"),
                }
        }
        AuthAction::Insert { .. }
        | AuthAction::Update { .. }
        | AuthAction::Delete { .. }
        | AuthAction::CreateTable { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::Reindex { .. } => phase == Phase::Refresh && scratch,
        _ => false,
    }
}

pub(super) struct Sqlite {
    pub(super) connection: Connection,
    pub(super) events: Vec<Event>,
    /// How many statements and fetches the last page took.
    pub(super) calls: usize,
    phase: Phase,
}

impl Sqlite {
    pub(super) fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        let sql = "ATTACH ':memory:' AS scratch;
            ATTACH ':memory:' AS feed;
            CREATE TABLE audit_events (id INTEGER PRIMARY KEY AUTOINCREMENT,
                created_at INTEGER NOT NULL, actor_id INTEGER NOT NULL, action TEXT NOT NULL,
                resource_type TEXT, resource_id TEXT, payload_offset INTEGER, payload_len INTEGER);
            CREATE INDEX idx_created_at ON audit_events (created_at);
            CREATE TABLE feed.events (id INTEGER PRIMARY KEY, created_at INTEGER,
                actor_id INTEGER, action TEXT);";
        connection.execute_batch(sql).unwrap();
        Self { connection, events: Vec::new(), calls: 0, phase: Phase::Setup }
    }

    /// Appends to the log and to the feed, which keeps what was taken in already.
    pub(super) fn append(&mut self, events: &[Event]) {
        self.enter(Phase::Setup);
        for event in events {
            for table in ["audit_events", "feed.events"] {
                let sql = format!("INSERT INTO {table} (created_at, actor_id, action) VALUES (?1, ?2, ?3)");
                let row = (event.created_at, event.actor_id, event.action);
                let mut insert = self.connection.prepare_cached(&sql).unwrap();
                insert.execute(row).unwrap();
            }
            self.events.push(*event);
        }
    }

    pub(super) fn page(&mut self, request: &PageRequest<'_>) -> Vec<i64> {
        self.enter(Phase::Page);
        self.calls = 0;
        page(self, request).unwrap()
    }

    /// One slice.
    pub(super) fn refresh(&mut self) -> Progress {
        self.enter(Phase::Refresh);
        let through = self.high_water();
        refresh(self, through).unwrap()
    }

    pub(super) fn refresh_until_done(&mut self) {
        while !self.refresh().done {}
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        if self.phase != phase {
            self.phase = phase;
            let rule = move |context: AuthContext<'_>| {
                if may(phase, &context) { Authorization::Allow } else { Authorization::Deny }
            };
            self.connection.authorizer(Some(rule)).unwrap();
        }
    }

    /// Rows of integers.
    pub(super) fn integers(&self, sql: &str) -> Vec<Vec<i64>> {
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
        rows.unwrap().map(|row| row.unwrap()).collect()
    }
}

pub(super) struct Cells(Vec<Vec<Option<i64>>>);

impl Rows for Cells {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn integer(&self, row: usize, column: usize) -> Option<i64> {
        *self.0.get(row)?.get(column)?
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Null => Ok(ToSqlOutput::from(Null)),
            Self::Integer(value) => Ok(ToSqlOutput::from(*value)),
            Self::Text(value) => Ok(ToSqlOutput::from(*value)),
        }
    }
}

type Answer<T> = Result<T, String>;

fn explained<T>(sql: &str, result: rusqlite::Result<T>) -> Answer<T> {
    result.map_err(|error| format!("{error} in {sql}"))
}

impl Reader for Sqlite {
    type Rows = Cells;
    type Event = i64;
    type Error = String;

    fn high_water(&mut self) -> i64 {
        i64::try_from(self.events.len()).unwrap()
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Answer<Cells> {
        self.calls += 1;
        assert!(!sql.to_uppercase().contains("OFFSET"), "{sql}");
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let columns = statement.column_count();
            let rows = statement
                .query_map(params_from_iter(params), |row| (0..columns).map(|at| row.get(at)).collect())?;
            rows.collect()
        };
        explained(sql, run()).map(Cells)
    }

    fn select(&mut self, sql: &str, params: &[Param<'_>]) -> Answer<Vec<i64>> {
        let rows = self.query(sql, params)?;
        Ok(rows.0.iter().map(|row| row[0].unwrap()).collect())
    }

    fn fetch(&mut self, ids: &[i64]) -> Answer<Vec<i64>> {
        self.calls += 1;
        Ok(ids.to_vec())
    }

    fn broken(what: &str) -> String {
        what.to_owned()
    }
}

impl Writer for Sqlite {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Answer<u64> {
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.execute(params_from_iter(params))
        };
        explained(sql, run()).map(|changed| changed as u64)
    }

    fn execute_many(&mut self, sql: &str, params: &[Param<'_>]) -> Answer<u64> {
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut changed = 0;
            for group in params.chunks(statement.parameter_count()) {
                changed += statement.execute(params_from_iter(group))?;
            }
            Ok(changed)
        };
        explained(sql, run()).map(|changed| changed as u64)
    }
}

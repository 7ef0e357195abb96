//! A log, a scratch with tables of a strategy's own, and sessions on both.

use std::path::PathBuf;

use crate::Log;
use crate::dataset;
use crate::digests::DigestKey;
use crate::error::Error;
use crate::feed::Feeder;
use crate::grants::Grants;
use crate::limits::Limits;
use crate::session::Session;
use crate::value::Value;
use tempfile::TempDir;

/// How many events the log holds.
pub(super) const EVENTS: u64 = 2_000;

/// The strategy's own tables.
const TABLES: [&str; 5] = [
    "CREATE TABLE scratch.keys (series INTEGER, created_at INTEGER, id INTEGER, \
     PRIMARY KEY (series, created_at, id)) WITHOUT ROWID",
    "CREATE TABLE scratch.notes (id INTEGER PRIMARY KEY, body TEXT, tag TEXT COLLATE NOCASE, bits BLOB)",
    "CREATE INDEX scratch.notes_by_tag ON notes (tag)",
    "INSERT INTO scratch.keys SELECT actor_id % 5, created_at, id FROM feed.events",
    "INSERT INTO scratch.notes SELECT id, action || ' ' || id, action, NULL FROM feed.events",
];

/// The same with full-text search.
const SEARCH: [&str; 2] = [
    "CREATE VIRTUAL TABLE scratch.docs USING fts5(action, body, tokenize = 'unicode61')",
    "INSERT INTO scratch.docs (rowid, action, body) \
     SELECT id, action, action || ' by actor ' || actor_id FROM feed.events",
];

pub(super) struct Stage {
    folder: TempDir,
    pub(super) log: Log,
    pub(super) grants: Grants,
}

impl Stage {
    /// A log and a filled scratch; with full-text search, or without.
    pub(super) fn new(search: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        dataset::seed(folder.path(), 1_767_052_800, EVENTS, true, &mut |_| Ok(())).unwrap();
        let log = Log::open(folder.path()).unwrap();
        // Times are for a machine that does other work as well.
        let limits = Limits {
            log_lock: std::time::Duration::from_secs(30),
            wall_time: std::time::Duration::from_secs(30),
            ..Limits::default()
        };
        let virtual_tables = if search { vec!["fts5"] } else { Vec::new() };
        let grants = Grants { virtual_tables, limits, ..Grants::local() };
        let stage = Self { folder, log, grants };
        let mut session = stage.refresh();
        // What a session looks at of the host's own tables.
        let own = "CREATE TABLE scratch.keyhole_coverage (path BLOB, last INTEGER NOT NULL, last_digest INTEGER NOT NULL, key BLOB, n INTEGER NOT NULL);
            CREATE TABLE scratch.keyhole_block (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, digests BLOB NOT NULL);
            INSERT INTO scratch.keyhole_coverage VALUES (x'', 0, 0, x'', 0)";
        session.connection().execute_batch(own).unwrap();
        crate::quarantine::create(session.connection()).unwrap();
        session.begin_refresh(0).unwrap();
        for sql in TABLES.iter().chain(if search { SEARCH.as_slice() } else { &[] }) {
            session.execute(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        session.commit_refresh().unwrap();
        session.connection().execute_batch("PRAGMA scratch.journal_mode=WAL").unwrap();
        stage
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch.db")
    }

    /// A session for pages, with a snapshot taken.
    pub(super) fn page(&self) -> Session {
        let mut session = Session::for_pages(&self.log, Some(self.scratch()), &self.grants).unwrap();
        session.begin().unwrap();
        session
    }

    /// The same under other limits.
    pub(super) fn page_within(&self, limits: Limits) -> Session {
        let grants = Grants { limits, ..self.grants.clone() };
        let mut session = Session::for_pages(&self.log, Some(self.scratch()), &grants).unwrap();
        session.begin().unwrap();
        session
    }

    /// A session for refreshes, with a feed that holds the log's first events.
    pub(super) fn refresh(&self) -> Session {
        let session = Session::for_refresh(self.scratch(), &self.grants, || None).unwrap();
        session
            .connection()
            .execute_batch(
                "PRAGMA temp_store=FILE;
                 CREATE TABLE feed.events (id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL,
                     actor_id INTEGER NOT NULL, action TEXT NOT NULL,
                     resource_type TEXT NOT NULL, resource_id TEXT NOT NULL)",
            )
            .unwrap();
        crate::quarantine::collect(session.connection()).unwrap();
        let columns = ["id", "created_at", "actor_id", "action", "resource_type", "resource_id"];
        let feeder = Feeder::open(&self.log).unwrap();
        let (key, mut after, mut copied) = (DigestKey::random(), None, Vec::new());
        loop {
            let scratch = session.connection();
            feeder.copy_range(scratch, &columns, &key, after, i64::MAX, &mut copied).unwrap();
            match copied.last() {
                Some(last) => after = Some(last.id),
                None => return session,
            }
        }
    }
}

/// How a call ends: `ok`, the rule that denied it, `budget:` and the limit, or `error:` and the code.
pub(super) fn ending<T>(outcome: &Result<T, Error>) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(Error::Denied { rule, .. }) => (*rule).to_owned(),
        Err(Error::Budget { limit, .. }) => format!("budget:{limit}"),
        Err(error) => format!("error:{}", error.code()),
    }
}

/// Parameters for a text that has `?` in it: integers, as most are.
pub(super) fn numbers(count: usize) -> Vec<Value> {
    (1..=i64::try_from(count).unwrap()).map(Value::Integer).collect()
}

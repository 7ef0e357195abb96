//! A small log, the keyset strategy's scratch for it, and a session of each kind on them.

use std::cell::RefCell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyhole_log::Log;
use keyhole_log::dataset::generator::SCHEMA;
use keyhole_log::grants::{Grants, KEY_COLUMNS};
use keyhole_log::limits::{Ceilings, Limits};
use keyhole_log::session::Session;
use keyhole_log::value::Value;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::scratch::Scratch;
use keyhole_runtime::strategy::Strategy;
use rusqlite::Connection;
use tempfile::TempDir;

use super::Outcome;

const EVENTS: i64 = 120;

/// What scratch must be after any statement of a strategy's: the host's tables and the feed as they
/// were, and nothing but tables and indexes.
const HOSTS_OWN: &str = "SELECT
    (SELECT group_concat(type || ' ' || name || ' ' || sql, ';') FROM scratch.sqlite_master
        WHERE tbl_name LIKE 'keyhole%' OR name LIKE 'keyhole%') || ';' ||
    (SELECT group_concat(first || last_digest || n, ';') FROM scratch.keyhole_coverage) || ';' ||
    (SELECT count(*) || total(last) FROM scratch.keyhole_block) || ';' ||
    (SELECT count(*) || total(id) || total(created_at) || max(action) FROM feed.events) || ';' ||
    (SELECT count(*) FROM scratch.sqlite_master
        WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%') || ';' ||
    (SELECT count(*) FROM feed.sqlite_master) || (SELECT count(*) FROM main.sqlite_master)
        || (SELECT count(*) FROM temp.sqlite_master)";

/// A log, its scratch and two sessions, for one process.
pub(super) struct World {
    sessions: RefCell<(Session, Session)>,
    folder: PathBuf,
    hosts_own: String,
    files: Vec<(String, u64, i64, i64)>,
    _kept: TempDir,
}

impl World {
    /// Makes one. What the columns hold that are not granted depends on `secret`.
    pub(super) fn new(name: &str, secret: i64) -> Self {
        let kept = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        let folder = kept.path().canonicalize().unwrap();
        write_log(&folder, secret);
        let log = Log::open(&folder).unwrap();
        let second = Duration::from_secs(1);
        let limits = Limits { sql_steps: 30_000, wall_time: second, log_lock: second, ..Limits::default() };
        let grants = Grants { columns: KEY_COLUMNS.to_vec(), limits, ..Grants::local() };
        let scratch = fill_scratch(&log, &folder, &grants);
        let pages = Session::for_pages(&log, Some(scratch.clone()), &grants).unwrap();
        let refresh = Session::for_refresh(scratch, &grants, || None).unwrap();
        feed(refresh.connection());
        let hosts_own = hosts_own(refresh.connection());
        let mut world = Self {
            sessions: RefCell::new((pages, refresh)),
            folder,
            hosts_own,
            files: Vec::new(),
            _kept: kept,
        };
        // The first look makes the files that only readers need.
        world.run("SELECT max(id) FROM log.audit_events", &[]);
        world.files = world.files_now();
        world
    }

    /// Runs a text in every way that a strategy can.
    pub(super) fn run(&self, sql: &str, params: &[Value]) -> Vec<Outcome> {
        let (pages, refresh) = &mut *self.sessions.borrow_mut();
        let mut outcomes = Vec::new();

        pages.begin().unwrap();
        let rows = pages.query(sql, params).map(|rows| format!("{rows:?}"));
        outcomes.push(Outcome::of(pages, rows));
        let events = pages.select(sql, params).map(|handles| {
            let claimed = handles.iter().map(|&handle| pages.claimed(handle));
            claimed.map(|id| format!("{id:?} ")).collect()
        });
        outcomes.push(Outcome::of(pages, events));
        pages.finish();
        // What `--ledger` does with every text of a request.
        pages.explain(sql);
        let read_only = pages.connection().query_row("PRAGMA query_only", [], |row| row.get::<_, i64>(0));
        assert_eq!(read_only.unwrap(), 1, "pages may write after: {sql}");

        refresh.begin_refresh(EVENTS).unwrap();
        let changed = refresh.execute(sql, params).map(|changed| changed.to_string());
        outcomes.push(Outcome::of(refresh, changed));
        let groups = refresh.execute_many(sql, params).map(|changed| changed.to_string());
        outcomes.push(Outcome::of(refresh, groups));
        let rows = refresh.query(sql, params).map(|rows| format!("{rows:?}"));
        outcomes.push(Outcome::of(refresh, rows));
        if !refresh.connection().is_autocommit() {
            assert_eq!(
                hosts_own(refresh.connection()),
                self.hosts_own,
                "the host's own tables, after: {sql}"
            );
        }
        // Nobody commits the slice.
        refresh.finish();

        if !self.files.is_empty() {
            assert_eq!(self.files_now(), self.files, "something was written by: {sql}");
        }
        outcomes
    }

    /// Each file's name, size and time of change. They are not opened: closing one would drop SQLite's
    /// locks. A shared-memory file changes with every reader.
    fn files_now(&self) -> Vec<(String, u64, i64, i64)> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let (path, metadata) = (entry.path(), entry.metadata().unwrap());
                if metadata.is_dir() {
                    folders.push(path);
                } else if path.extension().is_none_or(|extension| extension != "db-shm") {
                    let name = path.to_string_lossy().into_owned();
                    files.push((name, metadata.len(), metadata.mtime(), metadata.mtime_nsec()));
                }
            }
        }
        files.sort();
        files
    }
}

fn hosts_own(connection: &Connection) -> String {
    connection.query_row(HOSTS_OWN, [], |row| row.get(0)).unwrap()
}

fn write_log(folder: &Path, secret: i64) {
    std::fs::write(folder.join("payloads.jsonl"), "{}\n".repeat(1000)).unwrap();
    let mut log = Connection::open(folder.join("audit.db")).unwrap();
    log.execute_batch(SCHEMA).unwrap();
    let insert = log.transaction().unwrap();
    for n in 0..EVENTS {
        let action = ["LOGIN", "LOGOUT", "UPDATE"][usize::try_from(n % 3).unwrap()];
        let hidden = "secret".repeat(usize::try_from(1 + n % 4 * secret).unwrap());
        let row = (n * 7 % 50, n % 5, action, format!("{hidden}{secret}"), format!("{secret}-{n}"));
        insert
            .execute(
                "INSERT INTO audit_events (created_at, actor_id, action, resource_type, resource_id,
                    payload_offset, payload_len) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (row.0, row.1, row.2, row.3, row.4, (n + secret) % 900 * 3, 3),
            )
            .unwrap();
    }
    insert.commit().unwrap();
}

fn fill_scratch(log: &Log, folder: &Path, grants: &Grants) -> PathBuf {
    let engine = Engine::new(&Ceilings { instances: 1, ..Ceilings::default() }).unwrap();
    let strategy = Strategy::native_keyset("native-keyset", b"", grants.clone());
    let scratch = Scratch::new(&engine, &strategy, log, folder, None);
    scratch.refresh().unwrap();
    scratch.path().to_owned()
}

/// A few events as the host feeds them to a refresh.
fn feed(connection: &Connection) {
    connection
        .execute_batch(
            "CREATE TABLE feed.events (id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL,
                actor_id INTEGER NOT NULL, action TEXT NOT NULL);
            INSERT INTO feed.events VALUES (1, 5, 1, 'LOGIN'), (2, 5, 2, 'LOGOUT'), (3, 9, 1, 'UPDATE');",
        )
        .unwrap();
}

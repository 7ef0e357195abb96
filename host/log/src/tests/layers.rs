//! Each layer on SQL stops its attack alone, and the attack succeeds where that layer is missing as well.
//!
//! A test either puts one layer on a bare connection, which has none, or takes every other layer away from the
//! connection of a session for pages, which has all of them.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::limits::Limit;
use tempfile::TempDir;

use crate::authorizer::{Author, Authorizer};
use crate::connection::{self, attach};
use crate::digests::DigestKey;
use crate::error::Error;
use crate::feed::Feeder;
use crate::grants::{Grants, KEY_COLUMNS};
use crate::limits::Limits;
use crate::payload::PayloadFile;
use crate::reader_gate::ReaderGate;
use crate::session::Session;
use crate::value::Value;
use crate::{Identity, Log, lockdown, sqlite_memory};

const ROWS: u32 = 2_000;
const DELETE: &str = "DELETE FROM audit_events WHERE id = 1";

/// A log of its own for a test; each payload is `{}`.
struct Place {
    folder: TempDir,
    log: Log,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_log(folder.path());
        let log = Log::open(folder.path()).unwrap();
        Self { folder, log }
    }

    /// A connection without a single layer, onto the log as `audit_events`' own database.
    fn bare(&self) -> Connection {
        Connection::open(&self.log.database).unwrap()
    }

    fn session(&self, limits: Limits) -> Session {
        let grants = Grants { columns: KEY_COLUMNS.to_vec(), limits, ..Grants::local() };
        let mut session = Session::for_pages(&self.log, None, &grants).unwrap();
        session.begin().unwrap();
        session
    }

    /// A session that nothing asks before SQLite prepares a text.
    fn without_authorizer(&self, limits: Limits) -> Session {
        let mut session = self.session(limits);
        session.statements.connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).unwrap();
        session
    }

    fn rows(&self) -> u32 {
        self.bare().query_row("SELECT count(*) FROM audit_events", [], |row| row.get(0)).unwrap()
    }
}

fn write_log(folder: &Path) {
    let writer = Connection::open(folder.join("audit.db")).unwrap();
    let sql = format!(
        "CREATE TABLE audit_events (id INTEGER PRIMARY KEY AUTOINCREMENT, created_at INTEGER NOT NULL,
            actor_id INTEGER NOT NULL, action TEXT NOT NULL, resource_type TEXT NOT NULL,
            resource_id TEXT NOT NULL, payload_offset INTEGER NOT NULL, payload_len INTEGER NOT NULL);
         CREATE INDEX idx_created_at ON audit_events (created_at);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO audit_events SELECT i, 1000 + i, i % 7, 'LOGIN', 'user', 'u', (i - 1) * 3, 3 FROM n"
    );
    writer.execute_batch(&sql).unwrap();
    std::fs::write(folder.join("payloads.jsonl"), "{}\n".repeat(ROWS as usize)).unwrap();
}

/// Has the log of this connection be attached for writing, and forgets the snapshot.
fn make_writable(session: &mut Session, log: &Log) {
    session.finish();
    let connection = &session.statements.connection;
    connection.execute_batch("DETACH log").unwrap();
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 10).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, true).unwrap();
    attach(connection, &log.database, "mode=rw", "log").unwrap();
}

/// How a statement of a strategy's ends, as an operator observes it.
fn ends(session: &mut Session, sql: &str, params: &[Value]) -> String {
    session.query(sql, params).map_or_else(|error| error.observed(), |_| "ok".to_owned())
}

fn text(length: usize) -> Value {
    Value::Text("a".repeat(length))
}

/// Limits of time that strike nobody.
fn patient() -> Limits {
    let minutes = Duration::from_mins(5);
    Limits { log_lock: minutes, wall_time: minutes, sql_steps: u64::MAX, ..Limits::default() }
}

/// The authorizer alone, on a connection that has no other layer.
fn only_authorized(place: &Place, author: Author) -> (Connection, Arc<Authorizer>) {
    let authorizer = Authorizer::new(&Grants { columns: KEY_COLUMNS.to_vec(), ..Grants::local() });
    let mut connection = connection::empty().unwrap();
    attach(&connection, &place.log.database, "mode=rw", "log").unwrap();
    let judge = Arc::clone(&authorizer);
    connection.authorizer(Some(move |context: AuthContext<'_>| judge.judge(context))).unwrap();
    authorizer.admit(author);
    (connection, authorizer)
}

#[test]
fn the_authorizer_alone_stops_what_is_not_granted() {
    for (sql, rule) in [
        (DELETE, "write"),
        ("CREATE TABLE log.x (y)", "schema"),
        ("ATTACH ':memory:' AS other", "attach"),
        ("PRAGMA user_version = 7", "pragma"),
        ("SELECT payload_len FROM audit_events", "read"),
        ("SELECT randomblob(9)", "function"),
    ] {
        let place = Place::new();
        let (connection, authorizer) = only_authorized(&place, Author::Page);
        assert!(connection.prepare(sql).is_err(), "{sql}");
        assert!(matches!(authorizer.take_denial(), Some(Error::Denied { rule: named, .. }) if named == rule));
        let (connection, _) = only_authorized(&place, Author::Host);
        connection.prepare(sql).and_then(|mut prepared| prepared.raw_query().next().map(drop)).unwrap();
    }
}

#[test]
fn only_select_runs_where_nothing_else_keeps_the_log_whole() {
    let place = Place::new();
    let mut session = place.without_authorizer(patient());
    make_writable(&mut session, &place.log);
    session.statements.connection.execute_batch("PRAGMA query_only = OFF; BEGIN").unwrap();
    for sql in [DELETE, "PRAGMA user_version = 7", "EXPLAIN SELECT 1", "SAVEPOINT s"] {
        assert_eq!(ends(&mut session, sql, &[]), "sql-denied (statement)", "{sql}");
    }
    session.statements.connection.execute_batch("COMMIT").unwrap();
    assert_eq!(place.rows(), ROWS);
    assert_eq!(session.statements.connection.execute(DELETE, []).unwrap(), 1);
}

#[test]
fn query_only_alone_keeps_the_log_whole() {
    let place = Place::new();
    let mut session = place.without_authorizer(patient());
    make_writable(&mut session, &place.log);
    assert!(session.statements.connection.execute(DELETE, []).is_err());
    session.statements.connection.execute_batch("PRAGMA query_only = OFF").unwrap();
    assert_eq!(session.statements.connection.execute(DELETE, []).unwrap(), 1);
}

#[test]
fn opening_the_log_read_only_alone_keeps_it_whole() {
    let place = Place::new();
    let mut session = place.without_authorizer(patient());
    session.finish();
    session.statements.connection.execute_batch("PRAGMA query_only = OFF").unwrap();
    assert!(session.statements.connection.execute(DELETE, []).is_err());
    make_writable(&mut session, &place.log);
    assert_eq!(session.statements.connection.execute(DELETE, []).unwrap(), 1);
}

/// A session whose statements the progress handler, the watchdog, or neither of them cuts after 30 ms.
fn cut_by(place: &Place, handler: bool, watchdog: bool) -> (Session, Connection) {
    let mut session = place.session(Limits { log_lock: Duration::from_millis(30), ..patient() });
    session.finish();
    let elsewhere = place.bare();
    if !handler {
        session.statements.connection.progress_handler(0, None::<fn() -> bool>).unwrap();
    }
    if !watchdog {
        // It goes on looking, and interrupts another connection.
        session.statements.budget.connect(elsewhere.get_interrupt_handle());
    }
    session.begin().unwrap();
    (session, elsewhere)
}

/// Whether an overdue statement came to its end, and its row with it. What it says counts no more in either case.
fn ran_whole(session: &mut Session, sql: &str) -> bool {
    assert_eq!(ends(session, sql, &[]), "sql-budget (log_lock)");
    session.ledger.statement(sql).unwrap().rows == 1
}

#[test]
fn a_loop_is_cut_by_the_progress_handler_and_by_the_watchdog() {
    let place = Place::new();
    // About a second, if nothing cuts it.
    let sql = "SELECT count(*) FROM audit_events a, audit_events b, audit_events c \
               WHERE c.id < 6 AND a.actor_id + b.actor_id < 0";
    for (handler, watchdog, whole) in [(true, false, false), (false, true, false), (false, false, true)] {
        let (mut session, _elsewhere) = cut_by(&place, handler, watchdog);
        assert_eq!(ran_whole(&mut session, sql), whole, "handler {handler}, watchdog {watchdog}");
    }
}

/// A walk of `count(*)` over many rows turns no loop of SQLite's virtual machine, where the handler is called.
#[test]
fn a_walk_that_never_turns_is_cut_by_the_watchdog_alone() {
    let place = Place::new();
    let many = "WITH RECURSIVE n(i) AS (VALUES (2001) UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
        INSERT INTO audit_events SELECT i, 9999999999, 1, 'A', 'B', 'C', 0, 3 FROM n";
    place.bare().execute_batch(many).unwrap();
    let sql = format!("SELECT {}", vec!["(SELECT count(*) FROM audit_events)"; 60].join(", "));
    for (handler, watchdog, whole) in [(true, false, true), (false, true, false)] {
        let (mut session, _elsewhere) = cut_by(&place, handler, watchdog);
        assert_eq!(ran_whole(&mut session, &sql), whole, "handler {handler}, watchdog {watchdog}");
    }
}

/// So many subqueries, each of which uses the one within it twice.
fn nested(levels: usize, innermost: &str) -> String {
    format!(
        "{}SELECT {innermost} AS n FROM audit_events{}",
        "SELECT n + n AS n FROM (".repeat(levels),
        ")".repeat(levels)
    )
}

#[test]
fn a_text_that_repeats_its_parts_is_refused_before_sqlite_sees_it() {
    let place = Place::new();
    let mut session = place.without_authorizer(patient());
    // Few enough for SQLite to take them; with more, the other layer would say that memory ran out.
    let sql = nested(13, "id");
    assert_eq!(ends(&mut session, &sql, &[]), "sql-denied (statement)");
    assert!(place.bare().prepare(&sql).is_ok());
}

const CHILD: &str = "KEYHOLE_TEST_MEMORY";

/// In a process of its own: what SQLite allocates is counted only where this was asked for before the first
/// connection of a process.
#[test]
fn what_a_statement_may_allocate_is_bounded_where_nothing_refuses_its_text() {
    if std::env::var_os(CHILD).is_none() {
        let (_, module) = module_path!().split_once("::").unwrap();
        let name =
            format!("{module}::what_a_statement_may_allocate_is_bounded_where_nothing_refuses_its_text");
        let own = std::env::current_exe().unwrap();
        let ran = Command::new(own).args(["--exact", &name]).env(CHILD, "1").output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    assert!(sqlite_memory::count());
    let place = Place::new();
    let bare = place.bare();
    let sql = nested(18, "id");
    for author in [Author::Page, Author::Host] {
        sqlite_memory::allocate_for(author);
        let prepared = bare.prepare(&sql).map(drop);
        sqlite_memory::allocate_for(Author::Host);
        assert_eq!(prepared.is_ok(), author == Author::Host, "{author:?}: {prepared:?}");
    }
}

/// A connection with SQLite's own settings and limits, which have no other layer beside them.
fn locked_down(place: &Place) -> Connection {
    let connection = place.bare();
    lockdown::before_attaching(&connection).unwrap();
    connection
}

#[test]
fn sqlites_own_limits_alone_stop_a_long_program_and_a_long_pattern() {
    let place = Place::new();
    let program = format!("{} LIMIT 1", nested(15, "?1 || id < ?1"));
    let pattern = format!("SELECT ?1 LIKE '{}b'", "%a".repeat(100));
    let run = |connection: &Connection, sql: &str| {
        connection.query_row(sql, ["a".repeat(100)], |row| row.get::<_, i64>(0))
    };
    for sql in [&program, &pattern] {
        assert!(run(&locked_down(&place), sql).is_err(), "{sql:.60}");
        run(&place.bare(), sql).unwrap();
    }
}

#[test]
fn sqlites_own_settings_alone_stop_a_view_in_the_place_of_the_table() {
    let place = Place::new();
    let view = "ALTER TABLE audit_events RENAME TO hidden;
        CREATE VIEW audit_events AS SELECT payload_offset AS id FROM hidden";
    place.bare().execute_batch(view).unwrap();
    let sql = "SELECT count(id) FROM audit_events";
    let run = |connection: Connection| connection.query_row(sql, [], |row| row.get::<_, u32>(0));
    assert!(run(locked_down(&place)).is_err());
    assert_eq!(run(place.bare()).unwrap(), ROWS);
}

#[test]
fn nothing_is_attached_to_an_open_connection_though_nothing_denies_it() {
    let place = Place::new();
    let mut session = place.without_authorizer(patient());
    session.finish();
    let sql = "ATTACH ':memory:' AS other";
    assert!(session.statements.connection.execute_batch(sql).is_err());
    place.bare().execute_batch(sql).unwrap();
    let connection = place.bare();
    lockdown::after_attaching(&connection).unwrap();
    assert!(connection.execute_batch(sql).is_err());
}

#[test]
fn a_virtual_table_is_not_looked_for_though_nothing_denies_it() {
    let place = Place::new();
    let mut session = place.without_authorizer(patient());
    let sql = "SELECT value FROM json_each('[1, 2]')";
    assert_eq!(ends(&mut session, sql, &[]), "sql-denied (virtual-table)");
    assert!(session.statements.connection.prepare(sql).unwrap().exists([]).unwrap());
}

/// SQLite itself does not ask the authorizer about the columns of such a join.
#[test]
fn a_join_by_an_ungranted_column_is_refused_though_sqlite_does_not_ask() {
    let place = Place::new();
    let sql = "SELECT id FROM audit_events NATURAL JOIN (SELECT 0 AS payload_offset)";
    assert_eq!(ends(&mut place.session(patient()), sql, &[]), "sql-denied (read)");
    let (connection, _) = only_authorized(&place, Author::Page);
    assert_eq!(connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap(), 1);
}

/// What the host refuses by itself; a bare connection runs each of these texts.
#[test]
fn a_text_that_costs_much_in_one_step_is_refused_though_sqlite_would_run_it() {
    let place = Place::new();
    let patterns: Vec<String> = (10..27).map(|n| format!("?1 LIKE '%a{n}'")).collect();
    // Nine calls in a column, and one.
    let nine = |column: usize| {
        let calls: Vec<String> = (0..8).map(|n| format!("upper(?1 || {})", column * 8 + n)).collect();
        format!("max({})", calls.join(", "))
    };
    let one = |column: usize| format!("lower(?1 || {column})");
    let calls: Vec<String> = (0..55).map(nine).chain((0..6).map(one)).collect();
    for (sql, end) in [
        (format!("SELECT ?1{}", ";".repeat(17)), "sql-denied (statement)"),
        ("SELECT ?1\0, 2".to_owned(), "sql-denied (statement)"),
        (format!("SELECT {}", patterns.join(", ")), "sql-denied (function)"),
        (format!("SELECT {}", calls.join(", ")), "sql-denied (function)"),
        (format!("SELECT ?1 -- {}", "x".repeat(70_000)), "sql-budget (sql_bytes)"),
    ] {
        let mut session = place.without_authorizer(patient());
        assert_eq!(ends(&mut session, &sql, &[text(5)]), end, "{sql:.60}");
        let bare = place.bare();
        let mut prepared = bare.prepare(&sql).unwrap();
        assert!(prepared.exists(["a"]).unwrap(), "{sql:.60}");
    }
    // The last that is let through.
    for sql in [
        format!("SELECT ?1{}", ";".repeat(16)),
        format!("SELECT {}", patterns[..16].join(", ")),
        format!("SELECT {}", calls[..60].join(", ")),
    ] {
        assert_eq!(ends(&mut place.session(patient()), &sql, &[text(5)]), "ok", "{sql:.60}");
    }
}

#[test]
fn a_value_is_bounded_in_a_strategys_statements_alone() {
    let place = Place::new();
    let session = place.without_authorizer(patient());
    let sql = "SELECT length(?1 || ?1 || ?1 || ?1)";
    let run =
        || session.statements.connection.query_row(sql, ["a".repeat(60_000)], |row| row.get::<_, u32>(0));
    session.statements.admit(Author::Page).unwrap();
    assert!(run().is_err());
    session.statements.admit(Author::Host).unwrap();
    assert_eq!(run().unwrap(), 240_000);
}

/// What a request may use: each limit cuts its statement, which ends well where the limit is larger.
#[test]
fn each_limit_on_a_statement_cuts_it_alone() {
    let place = Place::new();
    let all = "SELECT id FROM audit_events";
    let wide = "SELECT ?1 FROM audit_events";
    for (limits, sql, params, end) in [
        (Limits { rows: 100, ..patient() }, all, vec![], "sql-budget (rows)"),
        (Limits { rows: u64::from(ROWS), ..patient() }, all, vec![], "ok"),
        (Limits { sql_steps: 1_000, ..patient() }, all, vec![], "sql-budget (sql_steps)"),
        (Limits { result_bytes: 1 << 20, ..patient() }, wide, vec![text(1_000)], "sql-budget (result_bytes)"),
        (Limits { result_bytes: 4 << 20, ..patient() }, wide, vec![text(1_000)], "ok"),
        (Limits { sql_bytes: 64, ..patient() }, &format!("{all:>65}"), vec![], "sql-budget (sql_bytes)"),
        (Limits { sql_bytes: 64, ..patient() }, &format!("{all:>64}"), vec![], "ok"),
    ] {
        assert_eq!(ends(&mut place.session(limits), sql, &params), end, "{sql}");
    }
}

/// Some statements do their work when they are prepared.
#[test]
fn a_text_is_explained_behind_the_gate_that_it_was_prepared_behind() {
    let place = Place::new();
    let mut session = place.session(patient());
    session.finish();
    let query_only = |session: &Session| -> u32 {
        session.statements.connection.query_row("PRAGMA query_only", [], |row| row.get(0)).unwrap()
    };
    assert!(session.statements.explain("PRAGMA query_only = OFF")[0].starts_with("no plan"));
    assert_eq!(query_only(&session), 1);
    let session = place.without_authorizer(patient());
    session.statements.explain("PRAGMA query_only = OFF");
    assert_eq!(query_only(&session), 0);
}

/// Has a file of the log be a symbolic link to itself under another name.
fn become_link(place: &Place, name: &str) {
    let (file, aside) = (place.folder.path().join(name), place.folder.path().join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    symlink(aside, file).unwrap();
}

#[test]
fn each_way_to_open_a_file_of_the_log_refuses_a_link_by_itself() {
    let place = Place::new();
    become_link(&place, "payloads.jsonl");
    assert_eq!(PayloadFile::open(&place.log.payloads).map(drop).unwrap_err().code(), "bad-log");
    assert_eq!(Log::open(place.folder.path()).map(drop).unwrap_err().code(), "bad-log");
    let place = Place::new();
    let identity = Identity::of(&place.log.database).unwrap();
    become_link(&place, "audit.db");
    assert_eq!(Identity::of(&place.log.database).unwrap(), identity, "to follow it would be easy");
    let refused = attach(&connection::empty().unwrap(), &place.log.database, "mode=ro", "log");
    assert_eq!(refused.unwrap_err().code(), "bad-log");
    let followed = Connection::open_in_memory().unwrap();
    attach(&followed, &place.log.database, "mode=ro", "log").unwrap();
    // Of a file that nobody has read yet.
    let other = Place::new();
    become_link(&other, "payloads.jsonl");
    assert_eq!(ReaderGate::of(&other.log.payloads).map(drop).unwrap_err().code(), "bad-log");
}

/// Every other look at scratch is at its file, or at what a refresh takes in.
#[test]
fn a_scratch_whose_last_event_is_not_the_logs_is_unfit_as_soon_as_the_log_has_changed() {
    let place = Place::new();
    let path = place.folder.path().join("scratch.db");
    let (key, mut rows) = (DigestKey::random(), Vec::new());
    Feeder::open(&place.log).unwrap().digests(&key, Some(6), 7, &mut rows).unwrap();
    let scratch = Connection::open(&path).unwrap();
    scratch.execute_batch("CREATE TABLE keyhole_coverage (last, last_digest, key, n)").unwrap();
    scratch.execute_batch("CREATE TABLE keyhole_quarantine (id, held_by, found, second)").unwrap();
    let covers = "INSERT INTO keyhole_coverage VALUES (7, ?1, ?2, 7)";
    scratch.execute(covers, (rows[0].digest.cast_signed(), key.bytes())).unwrap();
    let mut session = Session::for_pages(&place.log, Some(path), &Grants::local()).unwrap();
    session.begin().unwrap();
    session.finish();
    place.bare().execute_batch("UPDATE audit_events SET action = 'EXPORT' WHERE id = 8").unwrap();
    session.begin().unwrap();
    session.finish();
    place.bare().execute_batch("UPDATE audit_events SET action = 'EXPORT' WHERE id = 7").unwrap();
    assert!(matches!(session.begin(), Err(Error::ScratchUnfit { .. })));
}

#[test]
fn a_log_that_was_replaced_is_noticed_before_a_snapshot_is_taken() {
    let place = Place::new();
    let mut session = place.session(patient());
    session.finish();
    let other = Place::new();
    std::fs::rename(&other.log.database, &place.log.database).unwrap();
    assert!(matches!(session.begin(), Err(Error::LogReplaced { .. })));
    assert!(place.session(patient()).connection().prepare("SELECT 1 FROM log.audit_events").is_ok());
}

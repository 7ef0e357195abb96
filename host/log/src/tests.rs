//! Authorizer, vetting and budget, on a real connection to a real log.

mod access;
mod actions;
mod cancel;
mod full_text;
mod layers;
mod lists;
mod runaway;
mod stage;
mod statements;
mod straight;
mod texts;

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Log;
use crate::dataset;
use crate::error::Error;
use crate::grants::{Grants, KEY_COLUMNS};
use crate::limits::Limits;
use crate::session::Session;
use crate::value::Value;

fn log_of(rows: u64) -> (TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    dataset::seed(folder.path(), 1_767_052_800, rows, true, &mut |_| Ok(())).unwrap();
    let log = Log::open(folder.path()).unwrap();
    (folder, log)
}

fn session(log: &Log, limits: Limits) -> Session {
    let mut session =
        Session::for_pages(log, None, &Grants { columns: KEY_COLUMNS.to_vec(), limits, ..Grants::local() })
            .unwrap();
    session.begin().unwrap();
    session
}

/// How a statement ends: `ok`, the rule that denied it, or the error's code.
fn ends(session: &mut Session, sql: &str) -> String {
    match session.query(sql, &[]) {
        Ok(_) => "ok".to_owned(),
        Err(Error::Denied { rule, .. }) => rule.to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn honest_statements_pass() {
    let (_folder, log) = log_of(100);
    let mut session = session(&log, Limits::default());
    for sql in [
        "SELECT id FROM audit_events ORDER BY created_at DESC, id DESC LIMIT 5",
        "SELECT count(*) FROM audit_events",
        "SELECT id, created_at, actor_id, action FROM log.audit_events WHERE action = 'LOGIN'",
        "WITH recent AS (SELECT id FROM audit_events WHERE created_at > 5) SELECT max(id) FROM recent",
        "SELECT a.id FROM audit_events a JOIN audit_events b ON a.id = b.id + 1 LIMIT 3",
        "SELECT action, count(*) FROM audit_events GROUP BY action HAVING count(*) > 1",
        "SELECT id, row_number() OVER (ORDER BY created_at) FROM audit_events LIMIT 2",
        "SELECT 1 -- a comment\n",
        "VALUES (1), (2)",
    ] {
        assert_eq!(ends(&mut session, sql), "ok", "{sql}");
    }
}

#[test]
fn what_is_not_granted_is_denied_with_its_rule() {
    let (_folder, log) = log_of(100);
    let mut session = session(&log, Limits::default());
    for (sql, rule) in [
        ("DELETE FROM audit_events", "write"),
        ("UPDATE audit_events SET id = 1", "write"),
        ("INSERT INTO audit_events (id) VALUES (1)", "write"),
        ("CREATE TABLE x (y)", "schema"),
        ("DROP TABLE audit_events", "schema"),
        ("ATTACH 'x' AS y", "attach"),
        ("DETACH log", "attach"),
        ("PRAGMA query_only = OFF", "pragma"),
        ("BEGIN", "transaction"),
        ("COMMIT", "transaction"),
        ("SAVEPOINT s", "transaction"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", "recursive"),
        ("SELECT payload_offset FROM audit_events", "read"),
        ("SELECT resource_id FROM audit_events", "read"),
        ("SELECT * FROM audit_events", "read"),
        ("SELECT name FROM sqlite_master", "read"),
        ("SELECT count(*) FROM log.sqlite_schema", "read"),
        ("SELECT name FROM pragma_table_info('audit_events')", "virtual-table"),
        ("SELECT value FROM json_each('[1]')", "virtual-table"),
        ("SELECT count(*) FROM json_each('[1]')", "virtual-table"),
        ("SELECT load_extension('x')", "function"),
        ("SELECT randomblob(9)", "function"),
        ("SELECT replace('a', 'a', 'b')", "function"),
        ("SELECT zeroblob(1000000000)", "function"),
        ("SELECT trim('a', 'b')", "function"),
        ("SELECT instr('a', 'b')", "function"),
        ("EXPLAIN SELECT 1", "statement"),
        ("SELECT 1; SELECT 2", "statement"),
        ("SELECT 1\0", "statement"),
        ("  /*keyhole*/ SELECT max(id) FROM log.audit_events", "statement"),
    ] {
        assert_eq!(ends(&mut session, sql), rule, "{sql}");
    }
    assert_eq!(session.ledger.denied, 30, "each denial is counted");
    let columns = "SELECT 1".to_owned() + &", 1".repeat(200);
    assert_eq!(ends(&mut session, &columns), "sql");
    assert_eq!(ends(&mut session, "SELECT nothing FROM nowhere"), "sql");
}

#[test]
fn a_denied_statement_leaves_the_next_one_alone() {
    let (_folder, log) = log_of(10);
    let mut session = session(&log, Limits::default());
    assert_eq!(ends(&mut session, "SELECT payload_len FROM audit_events"), "read");
    assert_eq!(ends(&mut session, "SELECT no_such_column FROM audit_events"), "sql");
    assert_eq!(ends(&mut session, "SELECT id FROM audit_events"), "ok");
}

#[test]
fn scratch_is_not_written_while_a_page_is_answered() {
    let (_folder, log) = log_of(10);
    let mut session = session(&log, Limits::default());
    for outcome in [session.execute("SELECT 1", &[]), session.execute_many("DELETE FROM x", &[])] {
        assert!(matches!(outcome, Err(Error::Denied { rule: "write", .. })));
    }
}

#[test]
fn each_budget_of_sql_is_cut_and_named() {
    let (_folder, log) = log_of(2_000);
    let cross = "SELECT count(*) FROM audit_events a, audit_events b, audit_events c WHERE a.actor_id + b.actor_id > c.actor_id";
    for (limits, sql, limit) in [
        (Limits { sql_steps: 10_000, ..Limits::default() }, cross, "sql_steps"),
        (Limits { wall_time: Duration::from_millis(50), ..unlimited() }, cross, "wall_time"),
        (Limits { log_lock: Duration::from_millis(50), ..unlimited() }, cross, "log_lock"),
        (Limits { rows: 100, ..Limits::default() }, "SELECT id FROM audit_events", "rows"),
    ] {
        let mut session = session(&log, limits);
        let began = Instant::now();
        match session.query(sql, &[]) {
            Err(Error::Budget { limit: reached, .. }) => assert_eq!(reached, limit),
            other => panic!("{limit}: {other:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{limit} was cut late");
        session.finish();
    }
    let mut session = session(&log, Limits { handles: 10, ..Limits::default() });
    let flood = session.select("SELECT id FROM audit_events", &[]);
    assert!(matches!(flood, Err(Error::Budget { limit: "handles", allowed: 10 })), "{flood:?}");
    assert!(session.fetch(&[1; 10]).is_ok(), "a select that failed keeps no handles");
    assert!(session.fetch(&[1]).is_err());
}

fn unlimited() -> Limits {
    Limits {
        sql_steps: u64::MAX,
        wall_time: Duration::from_mins(1),
        log_lock: Duration::from_mins(1),
        ..Limits::default()
    }
}

#[test]
fn parameters_and_results_are_what_they_were() {
    let (_folder, log) = log_of(1);
    let mut session = session(&log, Limits::default());
    let values = [
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Real(0.5),
        Value::Text("é'\"".to_owned()),
        Value::Blob(vec![0, 255]),
    ];
    let rows = session.query("SELECT ?, ?, ?, ?, ?", &values).unwrap();
    assert_eq!(format!("{:?}", rows.cells), format!("{:?}", values.to_vec()));
    assert!(matches!(session.query("SELECT ?", &[]), Err(Error::Sql { .. })));
    assert!(matches!(session.query("SELECT CAST(x'ff' AS TEXT)", &[]), Err(Error::Sql { .. })));
}

#[test]
fn a_handle_of_an_earlier_call_is_none_of_this_one() {
    let (_folder, log) = log_of(10);
    let mut session = session(&log, Limits::default());
    let kept = session.fetch(&[7]).unwrap();
    assert_eq!(session.claimed(kept[0]), Some(7));
    session.finish();
    session.begin().unwrap();
    let fresh = session.fetch(&[8]).unwrap();
    assert_eq!((session.claimed(kept[0]), session.claimed(fresh[0])), (None, Some(8)));
}

#[test]
fn a_folder_without_a_log_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = Log::open(folder.path()).unwrap_err();
    assert!(error.place().is_some_and(|place| place.ends_with(Path::new("audit.db"))), "{error}");
}

#[test]
fn no_single_step_of_sqlite_is_long_or_large() {
    let (_folder, log) = log_of(1);
    let mut session = session(&log, Limits::default());
    let text = |length: usize| Value::Text("a".repeat(length));
    let began = Instant::now();
    for sql in ["SELECT ? LIKE '%' || ?", "SELECT ? GLOB '*' || ?"] {
        let refused = session.query(sql, &[text(50_000), text(20_000)]);
        assert!(matches!(refused, Err(Error::Sql { .. })), "{refused:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(2));
    let doubled = session.query("SELECT length(?1 || ?1 || ?1)", &[text(50_000)]);
    let allowed = crate::limits::VALUE_BYTES as u64;
    assert!(
        matches!(doubled, Err(Error::Budget { limit: "value_bytes", allowed: named }) if named == allowed),
        "{doubled:?}"
    );
}

#[test]
fn creating_a_table_changes_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scratch.db");
    let mut session = Session::for_refresh(
        path,
        &Grants { columns: KEY_COLUMNS.to_vec(), scratch_quota: 1 << 20, ..Grants::local() },
        || None,
    )
    .unwrap();
    session.begin_refresh(1).unwrap();
    assert_eq!(session.execute("CREATE TABLE scratch.x (y)", &[]).unwrap(), 0);
    let three = [Value::Integer(1), Value::Integer(2), Value::Integer(3)];
    assert_eq!(session.execute_many("INSERT INTO scratch.x VALUES (?)", &three).unwrap(), 3);
    assert_eq!(session.execute_many("INSERT INTO scratch.x VALUES (?)", &[]).unwrap(), 0);
    assert_eq!(session.execute("CREATE TABLE scratch.z (y)", &[]).unwrap(), 0);
    session.commit_refresh().unwrap();
}

/// What an audit saw of a plan holds for every request, and no request pays for a plan that is known.
#[test]
fn a_text_is_prepared_once_whatever_values_are_bound_to_it() {
    let (_folder, log) = log_of(100);
    let session = session(&log, Limits::default());
    let mut statement = session
        .connection()
        .prepare_cached(
            "/*keyhole*/ SELECT id FROM log.audit_events WHERE created_at >= ?1 AND action LIKE ?2 LIMIT ?3",
        )
        .unwrap();
    for (from, pattern, limit) in [(0, "A%", 1), (5, "%", 50), (i64::MIN, "B", 7)] {
        let rows = statement.query_map((from, pattern, limit), |row| row.get::<_, i64>(0)).unwrap();
        assert!(rows.map(Result::unwrap).count() <= 50);
    }
    assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
}

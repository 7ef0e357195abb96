//! The gate and the budget, on a real connection to a real log.

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::bindings::types::Value;
use crate::contract;
use crate::error::{Error, Lie};
use crate::limits::Limits;
use crate::log::Log;
use crate::log::session::Session;
use crate::page::{Filter, Key, PageRequest, Position, check};
use crate::policy::{Grants, KEY_COLUMNS};

fn log_of(rows: u64) -> (TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    contract::seed(folder.path(), 1_767_052_800, rows, true, &mut |_| Ok(())).unwrap();
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
fn honest_statements_pass_the_gate() {
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

fn asked(from_ts: i64, to_ts: i64, position: Position, page_size: u32) -> PageRequest {
    let filter = Filter { from_ts, to_ts, actor_id: None, action: None };
    PageRequest { filter, position, page_size, up_to: None }
}

/// The log's keys, newest first.
fn keys(session: &mut Session) -> Vec<Key> {
    let sql = "SELECT created_at, id FROM audit_events ORDER BY created_at DESC, id DESC";
    let cells = session.query(sql, &[]).unwrap().cells;
    let integer = |cell: &Value| match cell {
        Value::Integer(integer) => *integer,
        other => panic!("{other:?}"),
    };
    cells.chunks(2).map(|row| Key { created_at: integer(&row[0]), id: integer(&row[1]) }).collect()
}

fn lie(session: &Session, request: &PageRequest, claims: &[Key]) -> Option<Lie> {
    let ids: Vec<i64> = claims.iter().map(|key| key.id).collect();
    match check::read(session, request, &ids) {
        Ok(_) => None,
        Err(Error::Lied { kind, .. }) => Some(kind),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_run_of_neighbours_outside_the_window_or_before_the_cursor_is_no_page() {
    let (_folder, log) = log_of(2_000);
    let mut session = session(&log, Limits::default());
    let all = keys(&mut session);
    let cut = (101..1_900).find(|&at| all[at - 1].created_at != all[at].created_at).unwrap();
    let (older, newer) = (all[cut].created_at, all[cut - 1].created_at);
    for page in [1, 2] {
        let after_all = asked(newer, i64::MAX, Position::Page(page), 20);
        assert!(lie(&session, &after_all, &all[cut..cut + 20]).is_some(), "older than the window");
        let before_all = asked(i64::MIN, older, Position::Page(page), 20);
        assert!(lie(&session, &before_all, &all[cut - 20..cut]).is_some(), "newer than the window");
    }
    let cursor = asked(i64::MIN, i64::MAX, Position::After(all[50]), 20);
    assert!(lie(&session, &cursor, &all[50..70]).is_some());
    assert!(lie(&session, &cursor, &all[50..52]).is_some());
    let of_one = |request: PageRequest| PageRequest {
        filter: Filter { action: Some("nothing".to_owned()), ..request.filter },
        ..request
    };
    assert_eq!(lie(&session, &of_one(cursor), &[]), None);
}

#[test]
fn without_a_filter_an_early_end_is_seen_however_much_is_left_out() {
    let (_folder, log) = log_of(2_000);
    let mut session = session(&log, Limits::default());
    let all = keys(&mut session);
    let first = asked(i64::MIN, i64::MAX, Position::Page(1), 50);
    let next = asked(i64::MIN, i64::MAX, Position::After(all[9]), 50);
    for (request, claims) in
        [(&first, &all[..0]), (&first, &all[..7]), (&next, &all[..0]), (&next, &all[10..12])]
    {
        assert_eq!(lie(&session, request, claims), Some(Lie::EarlyEnd));
    }
    assert_eq!(lie(&session, &next, &all[10..60]), None);
    assert_eq!(lie(&session, &asked(i64::MIN, i64::MAX, Position::After(all[1_999]), 50), &[]), None);
}

#[test]
fn an_event_left_out_late_in_a_long_page_is_missed() {
    let (_folder, log) = log_of(2_000);
    let mut session = session(&log, Limits::default());
    let mut claims = keys(&mut session);
    claims.remove(800);
    let request = asked(i64::MIN, i64::MAX, Position::Page(1), 1_000);
    assert_eq!(lie(&session, &request, &claims[..1_000]), Some(Lie::DroppedEvent));
}

#[test]
fn a_second_with_very_many_events_is_paged_through() {
    let (folder, log) = log_of(10);
    let writer = rusqlite::Connection::open(folder.path().join("audit.db")).unwrap();
    let many = "WITH RECURSIVE n(i) AS (VALUES (11) UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
        INSERT INTO audit_events SELECT i, 9999999999, 1, 'A', 'B', 'C', 0, 1 FROM n";
    writer.execute_batch(many).unwrap();
    drop(writer);
    let session = session(&log, Limits { log_lock: Duration::from_mins(1), ..Limits::default() });
    let key = |id| Key { created_at: 9_999_999_999, id };
    let claims: Vec<Key> = (30..50).rev().map(key).collect();
    let deep = asked(i64::MIN, i64::MAX, Position::Page(19_998), 20);
    assert_eq!(lie(&session, &deep, &claims), None);
    let ids: Vec<i64> = claims.iter().map(|key| key.id).collect();
    let next = asked(i64::MIN, i64::MAX, Position::After(key(50)), 20);
    assert!(!check::read(&session, &next, &[]).unwrap().proved, "what was not read proves nothing");
    assert_eq!(check::read(&session, &next, &ids).unwrap().len(), 20);
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

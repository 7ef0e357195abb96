//! What a statement gives back, and to the byte what its limits allow.

use std::time::Duration;

use rusqlite::limits::Limit;

use super::stage::Stage;
use crate::error::{Bound, Error};
use crate::limits::Limits;
use crate::session::Session;
use crate::value::Value;

fn observed<T>(outcome: Result<T, Error>) -> String {
    outcome.map_or_else(|error| error.observed(), |_| "ok".to_owned())
}

/// Limits of time that strike nobody.
fn patient() -> Limits {
    let minute = Duration::from_mins(1);
    Limits { log_lock: minute, wall_time: minute, ..Limits::default() }
}

/// A session for pages on a log of its own, under these limits.
fn under(limits: Limits) -> (Stage, Session) {
    let stage = Stage::new(false);
    let session = stage.page_within(limits);
    (stage, session)
}

#[test]
fn a_result_is_counted_to_the_byte() {
    let text = Value::Text("a".repeat(100));
    for (sql, bytes) in [("SELECT ?1", 108), ("SELECT CAST(?1 AS BLOB)", 108), ("SELECT length(?1), 7", 16)] {
        let (stage, mut session) = under(Limits { result_bytes: bytes, ..patient() });
        let rows = session.query(sql, std::slice::from_ref(&text)).unwrap();
        assert_eq!(rows.columns.len(), rows.cells.len());
        assert_eq!(session.ledger.boundary_bytes, bytes, "{sql}");
        let mut session = stage.page_within(Limits { result_bytes: bytes - 1, ..patient() });
        let outcome = session.query(sql, std::slice::from_ref(&text));
        assert_eq!(observed(outcome), "sql-budget (result_bytes)", "{sql}");
    }
}

#[test]
fn columns_have_the_names_that_sqlite_gives_them() {
    let (_stage, mut session) = under(patient());
    let rows = session.query("SELECT id, max(created_at) AS newest FROM audit_events", &[]).unwrap();
    assert_eq!(rows.columns, ["id", "newest"]);
}

#[test]
fn the_rows_of_a_request_are_counted_over_all_its_statements() {
    let (_stage, mut session) = under(Limits { rows: 100, ..patient() });
    let sixty = "SELECT id FROM audit_events LIMIT 60";
    let forty = "SELECT id FROM audit_events LIMIT 40";
    assert!(session.query(sixty, &[]).is_ok() && session.query(forty, &[]).is_ok());
    assert!(matches!(session.query("SELECT 1", &[]), Err(Error::Budget { limit: "rows", allowed: 100 })));
    let (_stage, mut session) = under(Limits { rows: 100, ..patient() });
    session.query(sixty, &[]).unwrap();
    assert_eq!(observed(session.query(sixty, &[])), "sql-budget (rows)");
}

#[test]
fn a_select_claims_its_ids_in_order_and_no_more_than_there_are_handles() {
    let (_stage, mut session) = under(Limits { handles: 3, ..patient() });
    let some = "SELECT id FROM audit_events WHERE id IN (3, 5) ORDER BY id DESC";
    let handles = session.select(some, &[]).unwrap();
    let ids: Vec<_> = handles.iter().map(|&handle| session.claimed(handle)).collect();
    assert_eq!((ids, session.ledger.handles), (vec![Some(5), Some(3)], 2));
    assert!(matches!(session.select(some, &[]), Err(Error::Budget { limit: "handles", allowed: 3 })));
    assert_eq!(session.fetch(&[7]).map(|more| session.claimed(more[0])).unwrap(), Some(7));
    assert!(session.select("SELECT action FROM audit_events LIMIT 1", &[]).is_err(), "an id is a number");
}

#[test]
fn a_statement_of_a_refresh_takes_whole_groups_of_parameters_and_returns_no_rows() {
    let stage = Stage::new(false);
    let mut refresh = stage.refresh();
    refresh.begin_refresh(0).unwrap();
    let numbers = |count: i64| (1..=count).map(|n| Value::Integer(100_000 + n)).collect::<Vec<_>>();
    let insert = "INSERT INTO scratch.notes (id, body) VALUES (?1, ?2)";
    assert_eq!(refresh.execute_many(insert, &numbers(6)).unwrap(), 3);
    assert_eq!(refresh.ledger.statements().find(|known| known.sql == insert).unwrap().runs, 3);
    assert!(matches!(refresh.execute_many(insert, &numbers(5)), Err(Error::Sql { .. })));
    // Of ids that are free: nothing else speaks against it.
    let free: Vec<Value> = (1..=4).map(|n| Value::Integer(200_000 + n)).collect();
    let told =
        |outcome: Result<u64, Error>| outcome.map_or_else(|error| error.to_string(), |rows| rows.to_string());
    let two = told(refresh.execute(insert, &free));
    assert!(two.contains("4 parameters given, but the statement takes 2"), "{two}");
    for sql in ["SELECT 1", "DELETE FROM scratch.notes WHERE id < 0 RETURNING id"] {
        let rows = told(refresh.execute(sql, &[]));
        assert!(rows.contains("must not return rows"), "{sql}: {rows}");
    }
    let nothing = "UPDATE scratch.notes SET tag = tag WHERE id > 100000";
    assert_eq!(refresh.execute_many(nothing, &[]).unwrap(), 3, "without parameters it runs once");
    let kept = "SELECT group_concat(body) FROM notes WHERE id > 100000";
    let kept: String = refresh.connection().query_row(kept, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, "100002,100004,100006");
}

#[test]
fn a_plan_is_told_of_what_ran_and_of_what_was_refused() {
    let (_stage, mut session) = under(patient());
    assert!(session.explain("SELECT action FROM audit_events WHERE id = 5")[0].contains("SEARCH"));
    let (ran, refused) = ("SELECT id FROM audit_events", "SELECT payload_len FROM audit_events");
    session.query(ran, &[]).unwrap();
    session.query(refused, &[]).unwrap_err();
    session.explain_new(|sql| sql == "SELECT id FROM keys");
    let plan = |sql: &str| session.ledger.statements().find(|known| known.sql == sql).unwrap().plan.join(" ");
    assert!(plan(ran).contains("SCAN"), "{}", plan(ran));
    assert!(plan(refused).starts_with("no plan"), "{}", plan(refused));
}

#[test]
fn a_program_that_is_too_long_is_too_much_memory() {
    let (_stage, mut session) = under(patient());
    session.connection().set_limit(Limit::SQLITE_LIMIT_VDBE_OP, 20).unwrap();
    assert_eq!(observed(session.query("SELECT id FROM audit_events", &[])), "sql-budget (sql_memory)");
}

#[test]
fn the_bound_that_a_refresh_outgrew_is_the_one_that_is_told() {
    let stage = Stage::new(false);
    let fill = "INSERT INTO scratch.notes (body) SELECT a.body FROM notes a, notes b LIMIT 200000";
    let bound = Bound::Total { total: 7, others: 5 };
    let mut refresh = Session::for_refresh(stage.scratch(), &stage.grants, move || Some(bound)).unwrap();
    refresh.begin_refresh(0).unwrap();
    assert!(matches!(refresh.execute(fill, &[]), Err(Error::ScratchFull { bound: told }) if told == bound));
    refresh.finish();
    // SQLite keeps to its own bound, which is the quota.
    let mut refresh = Session::for_refresh(stage.scratch(), &stage.grants, || None).unwrap();
    refresh.connection().execute_batch("PRAGMA scratch.max_page_count = 1").unwrap();
    refresh.begin_refresh(0).unwrap();
    let quota = Bound::Quota(stage.grants.scratch_quota);
    assert!(matches!(refresh.execute(fill, &[]), Err(Error::ScratchFull { bound: told }) if told == quota));
}

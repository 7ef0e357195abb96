//! What the ledger says of a text, what a changed schema does to one that has passed, and how much
//! memory the greediest may take.

use std::process::Command;

use crate::ledger::StatementUse;
use crate::limits::Limits;
use crate::session::Session;
use crate::value::Value;

use super::stage::{Stage, ending};

fn entry(session: &Session, sql: &str) -> StatementUse {
    session.ledger.statements().find(|statement| statement.sql == sql).cloned().unwrap()
}

#[test]
fn the_ledger_names_what_a_text_touches() {
    let stage = Stage::new(false);
    let mut session = stage.page();
    let sql = "WITH recent AS (SELECT id FROM Audit_Events WHERE created_at > 5 AND action LIKE 'L%' AND id < 40) \
               SELECT count(*), max(k.id) FROM recent, keys k, (SELECT count(*) FROM notes)";
    session.query(sql, &[]).unwrap();
    for _ in 0..2 {
        let used = entry(&session, sql);
        assert_eq!(used.tables, ["audit_events", "scratch.keys", "scratch.notes"]);
        assert_eq!(
            used.columns,
            ["audit_events.id", "audit_events.created_at", "audit_events.action", "scratch.keys.id"]
        );
        assert_eq!(used.functions, ["like", "count", "max"]);
        // It is known in the next request as well, though nothing is looked at again.
        session.finish();
        session.begin().unwrap();
        session.query(sql, &[]).unwrap();
    }
    let denied = "SELECT payload_len FROM audit_events ORDER BY random()";
    assert_eq!(ending(&session.query(denied, &[])), "read");
    assert_eq!(entry(&session, denied).columns, ["audit_events.payload_len"]);
    assert_eq!(session.ledger.denials().next(), Some(("read", "log.audit_events.payload_len")));
}

#[test]
fn a_table_is_named_once_and_a_subquery_is_no_table() {
    let stage = Stage::new(false);
    let mut session = stage.page();
    for (sql, tables) in [
        (
            "SELECT count(*) FROM (SELECT 1 UNION SELECT 2) AS made, (SELECT count(*) FROM notes)",
            &["scratch.notes"][..],
        ),
        ("SELECT max(id), (SELECT count(*) FROM notes) FROM notes", &["scratch.notes"]),
        ("SELECT 1", &[]),
    ] {
        session.query(sql, &[]).unwrap();
        assert_eq!(entry(&session, sql).tables, tables, "{sql}");
    }
}

/// Another process changes the log's schema, as whoever owns the log may.
fn change(stage: &Stage, sql: &str) {
    let script =
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()";
    let done =
        Command::new("python3").args(["-c", script]).arg(&stage.log.database).arg(sql).status().unwrap();
    assert!(done.success());
}

#[test]
fn a_text_that_has_passed_is_judged_anew_when_the_schema_has_changed() {
    let stage = Stage::new(false);
    let mut session = stage.page();
    let texts = ["SELECT id FROM audit_events LIMIT 1", "SELECT max(id) FROM log.audit_events"];
    for sql in texts {
        assert_eq!(ending(&session.query(sql, &[])), "ok");
    }
    session.finish();
    change(
        &stage,
        "ALTER TABLE audit_events RENAME COLUMN id TO was; ALTER TABLE audit_events RENAME COLUMN payload_len TO id",
    );
    // What is called `id` now has the name that is granted; the host's own reading would not bear it.
    change(
        &stage,
        "ALTER TABLE audit_events RENAME COLUMN id TO payload_len; ALTER TABLE audit_events RENAME COLUMN was TO id",
    );
    session.begin().unwrap();
    for sql in texts {
        assert_eq!(ending(&session.query(sql, &[])), "ok");
    }
    session.finish();
    change(
        &stage,
        "ALTER TABLE audit_events RENAME TO hidden;
         CREATE VIEW audit_events AS SELECT payload_offset AS id, * FROM hidden",
    );
    // Views do not run, neither for the strategy nor for the host.
    assert_eq!(session.begin().map_err(|error| error.code()), Err("sqlite"));
    for sql in texts {
        assert_ne!(ending(&session.query(sql, &[])), "ok", "{sql}");
    }
}

#[test]
fn a_text_in_the_log_that_is_not_utf_8_is_an_error_and_no_panic() {
    let stage = Stage::new(false);
    change(&stage, "UPDATE audit_events SET action = CAST(x'ff' AS TEXT) WHERE id = 5");
    let mut session = stage.page();
    assert_eq!(ending(&session.query("SELECT action FROM audit_events WHERE id = 5", &[])), "error:sql");
    assert_eq!(ending(&session.query("SELECT id FROM audit_events WHERE id = 5", &[])), "ok");
}

/// The most memory that this process has held, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

const CHILD: &str = "KEYHOLE_TEST_MEMORY";

/// Runs in a process of its own, so that no other test's memory is counted.
#[test]
fn greedy_statements_take_little_memory() {
    if std::env::var_os(CHILD).is_none() {
        let own = std::env::current_exe().unwrap();
        let name = "tests::texts::greedy_statements_take_little_memory";
        let output =
            Command::new(own).args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let stage = Stage::new(false);
    let mut session = stage.page_within(Limits {
        log_lock: std::time::Duration::from_millis(500),
        sql_steps: u64::MAX,
        ..Limits::default()
    });
    let long = Value::Text("a".repeat(30_000));
    let before = peak();
    for sql in [
        "SELECT 1 FROM (SELECT a.id, ?1 || a.id || b.id AS x FROM audit_events a, audit_events b ORDER BY x) LIMIT 1",
        "SELECT count(DISTINCT ?1 || a.id || b.id) FROM audit_events a, audit_events b",
        "SELECT max(x) FROM (SELECT ?1 || a.id AS x FROM audit_events a, audit_events b UNION SELECT ?1)",
        "SELECT count(*) FROM (SELECT ?1 || a.id || b.id AS x FROM audit_events a, audit_events b GROUP BY 1)",
        "SELECT max(r) FROM (SELECT first_value(?1 || a.id) OVER (ORDER BY b.id DESC) AS r FROM audit_events a, audit_events b)",
        "WITH x AS MATERIALIZED (SELECT ?1 || a.id AS t FROM audit_events a, audit_events b) SELECT count(*) FROM x",
        "SELECT ?1 || a.id FROM audit_events a, audit_events b",
    ] {
        let ended = ending(&session.query(sql, std::slice::from_ref(&long)));
        assert_ne!(ended, "ok", "{sql}");
        session.finish();
        session.begin().unwrap();
        let taken = (peak() - before) / 1024;
        println!("{taken} MiB after {ended}: {sql}");
        assert!(taken <= 64, "{taken} MiB: {sql}");
    }
}

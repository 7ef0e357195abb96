//! Each guard on SQL is needed: it stops its attack with the other layers off, and with it off as well the
//! attack succeeds.
//!
//! A guard is off for a whole process: each case is a run of one test of this file with guards off.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::contract;
use crate::error::Error;
use crate::limits::Limits;
use crate::log::Log;
use crate::log::session::Session;
use crate::policy::Grants;

/// In the environment of the process that plays the attack.
const PLAYS: &str = "KEYHOLE_TEST_PLAYS";

/// Runs a test of this file with guards off. Whether it passed, which means that the attack was stopped.
fn stopped(attack: &str, off: &[&str]) -> bool {
    let own = std::env::current_exe().unwrap();
    let name = format!("log::ablation::{attack}");
    let played = Command::new(own)
        .args(["--exact", &name])
        .env(PLAYS, "1")
        .env("KEYHOLE_GUARDS_OFF", off.join(","))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&played.stdout).into_owned();
    assert!(said.contains("1 passed") || said.contains("1 failed"), "{attack} did not run: {said}");
    played.status.success()
}

/// Each of the guards alone stops the attack; with all of them off nothing does.
fn each_alone(attack: &str, guards: &[&str]) {
    for guard in guards {
        let others: Vec<&str> = guards.iter().copied().filter(|other| other != guard).collect();
        assert!(stopped(attack, &others), "{guard} alone does not stop {attack}");
    }
    assert!(!stopped(attack, guards), "something else stops {attack} as well");
}

fn played() -> bool {
    std::env::var_os(PLAYS).is_some()
}

fn with_session(limits: Limits, play: impl FnOnce(&mut Session, &Log)) {
    let folder = tempfile::tempdir().unwrap();
    contract::seed(folder.path(), 1_767_052_800, 2_000, true, &mut |_| Ok(())).unwrap();
    let log = Log::open(folder.path()).unwrap();
    let mut session = Session::for_pages(&log, None, &Grants { limits, ..Grants::local() }).unwrap();
    session.begin().unwrap();
    play(&mut session, &log);
}

#[test]
fn writing_to_the_log_is_stopped_by_four_layers() {
    each_alone("write_log", &["authorizer", "select-only", "query-only", "read-only-open"]);
}

#[test]
fn write_log() {
    if !played() {
        return;
    }
    with_session(Limits::default(), |session, log| {
        // Out of the snapshot first, which would be rolled back.
        let _ = session.query("COMMIT", &[]);
        let _ = session.query("DELETE FROM audit_events WHERE id = 1", &[]);
        session.finish();
        let left: u32 = rusqlite::Connection::open(&log.database)
            .unwrap()
            .query_row("SELECT count(*) FROM audit_events", [], |row| row.get(0))
            .unwrap();
        assert_eq!(left, 2_000);
    });
}

#[test]
fn a_loop_is_cut_by_the_progress_handler_and_by_the_watchdog() {
    each_alone("cross_join", &["progress-handler", "watchdog"]);
}

fn is_cut(sql: &str) {
    let limits = Limits {
        log_lock: Duration::from_millis(50),
        wall_time: Duration::from_mins(5),
        sql_steps: u64::MAX,
        ..Limits::default()
    };
    with_session(limits, |session, _| {
        let began = Instant::now();
        let outcome = session.query(sql, &[]);
        assert!(
            matches!(outcome, Err(Error::Budget { limit: "log_lock", .. })),
            "after {:?}",
            began.elapsed()
        );
    });
}

#[test]
fn cross_join() {
    if played() {
        // Seconds, if nothing cuts it.
        is_cut(
            "SELECT count(*) FROM audit_events a, audit_events b, audit_events c \
             WHERE c.id < 20 AND a.actor_id + b.actor_id < 0",
        );
    }
}

/// A walk of `count(*)` over many rows turns no loop of the virtual machine.
#[test]
fn a_walk_that_never_turns_is_cut_by_the_watchdog_alone() {
    each_alone("count_walk", &["watchdog"]);
}

#[test]
fn count_walk() {
    if !played() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    contract::seed(folder.path(), 1_767_052_800, 10, true, &mut |_| Ok(())).unwrap();
    let many = "WITH RECURSIVE n(i) AS (VALUES (11) UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
        INSERT INTO audit_events SELECT i, 9999999999, 1, 'A', 'B', 'C', 0, 1 FROM n";
    rusqlite::Connection::open(folder.path().join("audit.db")).unwrap().execute_batch(many).unwrap();
    let log = Log::open(folder.path()).unwrap();
    let limits = Limits {
        log_lock: Duration::from_millis(30),
        wall_time: Duration::from_mins(5),
        ..Limits::default()
    };
    let mut session = Session::for_pages(&log, None, &Grants { limits, ..Grants::local() }).unwrap();
    session.begin().unwrap();
    let walks = vec!["(SELECT count(*) FROM audit_events)"; 60].join(", ");
    let outcome = session.query(&format!("SELECT {walks}"), &[]);
    assert!(matches!(outcome, Err(Error::Budget { limit: "log_lock", .. })));
}

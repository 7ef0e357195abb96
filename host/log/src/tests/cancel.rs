//! A request can be cancelled wherever it is, and only the one that runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::stage::Stage;
use crate::error::Error;
use crate::limits::Limits;
use crate::value::Value;

/// Loops that would go on for minutes.
const LONG: [&str; 2] = [
    "SELECT count(*) FROM audit_events a, audit_events b, audit_events c WHERE a.id + b.id + c.id < 0",
    "SELECT max(a.id + b.id + c.id) FROM audit_events a, audit_events b, audit_events c",
];

/// Generous: the machine may be busy.
const SOON: Duration = Duration::from_secs(2);

/// Limits that no statement of these tests reaches.
fn endless() -> Limits {
    Limits {
        guest_time: Duration::from_mins(2),
        wall_time: Duration::from_mins(2),
        log_lock: Duration::from_mins(2),
        sql_steps: u64::MAX,
        rows: u64::MAX,
        ..Limits::default()
    }
}

/// Cancels after a while. Says when.
fn later(canceller: crate::budget::Canceller) -> std::thread::JoinHandle<Instant> {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        let now = Instant::now();
        canceller.cancel();
        now
    })
}

#[test]
fn a_statement_of_a_page_or_a_refresh_ends_when_it_is_cancelled() {
    let stage = Stage::new(false);
    let mut page = stage.page_within(endless());
    for sql in LONG {
        let cancelled = later(page.canceller());
        let outcome = page.query(sql, &[]);
        assert!(matches!(outcome, Err(Error::Cancelled)), "{sql}: {outcome:?}");
        assert!(cancelled.join().unwrap().elapsed() < SOON, "{sql} went on");
        assert!(matches!(page.query("SELECT 1", &[]), Err(Error::Cancelled)), "nor does it go on later");
        page.finish();
        page.begin().unwrap();
        assert!(page.query("SELECT count(*) FROM audit_events", &[]).is_ok(), "the next request is whole");
    }
    let mut refresh = stage.refresh();
    refresh.begin_refresh(0).unwrap();
    let cancelled = later(refresh.canceller());
    let fill =
        "INSERT INTO scratch.notes (body) SELECT a.action FROM feed.events a, feed.events b, feed.events c";
    assert!(matches!(refresh.execute(fill, &[]), Err(Error::Cancelled)));
    assert!(cancelled.join().unwrap().elapsed() < SOON);
    refresh.finish();
    refresh.begin_refresh(0).unwrap();
    assert!(refresh.execute("DELETE FROM scratch.notes", &[]).is_ok());
}

/// Whoever cancels at any moment ends requests, and never one that nobody cancelled.
#[test]
fn a_cancel_that_comes_late_never_hits_the_next_request() {
    let stage = Stage::new(false);
    let mut page = stage.page_within(endless());
    page.finish();
    let (over, requests) = (Arc::new(AtomicBool::new(false)), 3_000);
    let canceller = page.canceller();
    let flag = Arc::clone(&over);
    let thread = std::thread::spawn(move || {
        while !flag.load(Relaxed) {
            canceller.cancel();
            std::thread::sleep(Duration::from_micros(70));
        }
    });
    let sql = "SELECT sum(actor_id) FROM audit_events WHERE id > ?1";
    let (mut ended, mut whole) = (0, 0);
    for n in 0..requests {
        let outcome = page.begin().and_then(|()| page.query(sql, &[Value::Integer(n % 1_000)]).map(drop));
        match outcome {
            Ok(()) => whole += 1,
            Err(Error::Cancelled) => ended += 1,
            Err(error) => panic!("request {n}: {error}"),
        }
        page.finish();
    }
    over.store(true, Relaxed);
    thread.join().unwrap();
    assert!(ended > 0 && whole > 0, "{ended} cancelled, {whole} answered");
    for n in 0..requests {
        page.begin().unwrap();
        page.query(sql, &[Value::Integer(n)]).unwrap();
        page.finish();
    }
}

/// `tests/full/run` runs it. The connection is free when the next request on it is answered.
#[test]
#[ignore = "exact only on a machine that does nothing else"]
fn a_cancelled_request_frees_its_connection_within_50_ms_on_a_quiet_machine() {
    let stage = Stage::new(false);
    let mut page = stage.page_within(endless());
    let mut waits = Vec::new();
    for sql in LONG.repeat(10) {
        let cancelled = later(page.canceller());
        assert!(matches!(page.query(sql, &[]), Err(Error::Cancelled)), "{sql}");
        page.finish();
        page.begin().unwrap();
        page.query("SELECT max(id) FROM audit_events", &[]).unwrap();
        waits.push(cancelled.join().unwrap().elapsed());
    }
    waits.sort_unstable();
    println!("free again after a cancel: median {:?}, worst {:?}", waits[10], waits[19]);
    assert!(waits[19] < Duration::from_millis(50), "{waits:?}");
}

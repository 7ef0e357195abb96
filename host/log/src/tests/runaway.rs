//! Statements that would run away: each is cut soon after its budget, whatever kind of loop it is.

use std::time::{Duration, Instant};

use crate::limits::Limits;
use crate::session::Session;
use crate::value::Value;

use super::stage::{Stage, ending};

/// Shapes, by what they spend their time in. `big` has 200,000 rows of 100 bytes and no index.
const SHAPES: [(&str, &str); 25] = [
    (
        "cross join",
        "SELECT count(*) FROM audit_events a, audit_events b, audit_events c WHERE a.id + b.id + c.id < 0",
    ),
    (
        "cross join on an index",
        "SELECT count(*) FROM keys a, keys b, keys c WHERE a.series = b.series AND b.series = c.series AND a.id + b.id + c.id < 0",
    ),
    ("outer join", "SELECT count(*) FROM big a LEFT JOIN big b ON a.n + b.n < 0"),
    ("full join", "SELECT count(*) FROM big a FULL JOIN big b ON a.n + b.n < 0"),
    ("aggregate", "SELECT max(a.id + b.id) FROM audit_events a, audit_events b, audit_events c"),
    ("sorter, filling", "SELECT a.n FROM big a, big b ORDER BY a.n * b.n LIMIT 1"),
    ("sorter of texts", "SELECT a.body FROM big a, big b ORDER BY a.body || b.body LIMIT 1 OFFSET 5"),
    ("group by", "SELECT count(*) FROM (SELECT 1 FROM big a, big b GROUP BY a.n * b.n)"),
    ("distinct", "SELECT count(*) FROM (SELECT DISTINCT a.n * b.n FROM big a, big b)"),
    ("count distinct", "SELECT count(DISTINCT a.n * b.n) FROM big a, big b"),
    ("union", "SELECT count(*) FROM (SELECT a.n * b.n FROM big a, big b UNION SELECT 1)"),
    ("except", "SELECT count(*) FROM (SELECT a.n * b.n FROM big a, big b EXCEPT SELECT 1)"),
    (
        "intersect",
        "SELECT count(*) FROM (SELECT a.n * b.n FROM big a, big b INTERSECT SELECT a.n FROM big a, big b)",
    ),
    ("window", "SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY a.n * b.n) AS r FROM big a, big b)"),
    (
        "sliding window",
        "SELECT max(s) FROM (SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN 100000 PRECEDING AND 1 PRECEDING EXCLUDE TIES) AS s FROM big)",
    ),
    (
        "correlated count",
        "SELECT id FROM audit_events a WHERE (SELECT count(*) FROM big b WHERE b.n + a.id < 0) > 1",
    ),
    (
        "correlated exists",
        "SELECT id FROM audit_events a WHERE EXISTS (SELECT 1 FROM big b WHERE b.n + a.id < 0)",
    ),
    ("not in", "SELECT count(*) FROM big WHERE n NOT IN (SELECT a.n * b.n FROM big a, big b)"),
    (
        "automatic index",
        "SELECT count(*) FROM big a, big b, big c WHERE a.body = b.body AND b.body = c.body || 'x'",
    ),
    ("offset", "SELECT a.n FROM big a, big b LIMIT 1 OFFSET 3000000000"),
    ("no row", "SELECT a.n FROM big a, big b WHERE a.n + b.n < 0"),
    ("burst of LIKE", "SELECT count(*) FROM big WHERE ?1 || n LIKE '%a%a%a%a%a%a%a%a%a%a%a%a%b'"),
    ("burst of upper", "SELECT count(*) FROM big a, big b WHERE upper(?1 || a.n) = ?1 || b.n"),
    ("common table", "WITH x AS MATERIALIZED (SELECT a.n FROM big a, big b) SELECT count(*) FROM x"),
    ("between texts", "SELECT count(*) FROM big a, big b WHERE ?1 || a.n > ?1 || b.n COLLATE NOCASE"),
];

/// The budget, and what may come on top: the real figure is some milliseconds, the machine may be busy.
const BUDGET: Duration = Duration::from_millis(60);
const SLACK: Duration = Duration::from_millis(1_500);

fn stage() -> Stage {
    let stage = Stage::new(true);
    // Made by the host: a strategy may not recurse.
    stage
        .refresh()
        .connection()
        .execute_batch(
            "CREATE TABLE scratch.big (n INTEGER, body TEXT);
             WITH RECURSIVE r(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM r WHERE i < 200000)
             INSERT INTO scratch.big SELECT i, printf('%0100d', i) FROM r;
             CREATE VIRTUAL TABLE scratch.words USING fts5(body, detail = none);
             INSERT INTO scratch.words SELECT 'w' || (n % 50000) || ' x' || n FROM scratch.big;",
        )
        .unwrap();
    stage
}

fn tight(stage: &Stage) -> Session {
    stage.page_within(Limits {
        log_lock: BUDGET,
        wall_time: Duration::from_mins(1),
        sql_steps: u64::MAX,
        rows: u64::MAX,
        ..Limits::default()
    })
}

fn cut(session: &mut Session, name: &str, sql: &str) -> Duration {
    cut_within(session, name, sql, SLACK)
}

fn cut_within(session: &mut Session, name: &str, sql: &str, slack: Duration) -> Duration {
    session.begin().unwrap();
    let began = Instant::now();
    let params = vec![Value::Text("a".repeat(60_000)); usize::from(sql.contains("?1"))];
    let ended = ending(&session.query(sql, &params));
    let took = began.elapsed();
    session.finish();
    assert_eq!(ended, "budget:log_lock", "{name}");
    assert!(took < BUDGET + slack, "{name} was cut after {took:?}");
    took
}

#[test]
fn every_shape_is_cut_soon_after_its_budget() {
    let stage = stage();
    let mut session = tight(&stage);
    for (name, sql) in SHAPES {
        let took = cut(&mut session, name, sql);
        println!("{name}: cut after {took:?}");
    }
}

/// These never come back to the progress handler: the watchdog alone cuts them.
#[test]
fn loops_that_the_progress_handler_never_sees_are_cut_as_soon() {
    let stage = stage();
    let mut session = tight(&stage);
    for (name, sql) in unseen() {
        let took = cut(&mut session, name, &sql);
        println!("{name}: cut after {took:?}");
    }
}

fn unseen() -> [(&'static str, String); 2] {
    let columns = |column: &str| format!("SELECT {}", vec![column; 64].join(", "));
    [
        ("count(*)", columns("(SELECT count(*) FROM big)")),
        ("full-text prefix", columns("(SELECT count(*) FROM words('w* OR x*'))")),
    ]
}

/// `tests/full/run` runs it.
#[test]
#[ignore = "exact only on a machine that does nothing else"]
fn every_loop_is_cut_within_50_ms_on_a_quiet_machine() {
    let stage = stage();
    let mut session = tight(&stage);
    let seen = SHAPES.map(|(name, sql)| (name, sql.to_owned()));
    for (name, sql) in seen.into_iter().chain(unseen()) {
        let times = (0..5).map(|_| cut_within(&mut session, name, &sql, Duration::from_millis(50)));
        let worst = times.max().unwrap_or_default();
        println!("{name}: {:?} beyond the budget at most", worst.saturating_sub(BUDGET));
    }
}

/// The watchdog that comes late finds the door shut: the next request is whole.
#[test]
fn a_late_interrupt_never_hits_the_next_request() {
    let stage = Stage::new(false);
    let limits =
        Limits { log_lock: Duration::from_millis(6), sql_steps: u64::MAX, ..stage.grants.limits.clone() };
    let mut session = stage.page_within(limits);
    let (mut cut, mut whole) = (0, 0);
    for n in 0..400 {
        // Some of them end just before the watchdog looks, and some just after.
        let sql =
            "SELECT count(*) FROM audit_events a, audit_events b WHERE a.id <= ?1 AND b.actor_id + a.id < 0";
        session.begin().unwrap();
        match ending(&session.query(sql, &[Value::Integer(n % 100)])).as_str() {
            "ok" => whole += 1,
            "budget:log_lock" => cut += 1,
            other => panic!("request {n}: {other}"),
        }
        session.finish();
        // The host's own statements run without a budget, and are never interrupted.
        let host = session
            .connection()
            .query_row("SELECT count(*) FROM log.audit_events", [], |row| row.get::<_, i64>(0));
        assert_eq!(host.unwrap().unsigned_abs(), super::stage::EVENTS);
    }
    assert!(cut + whole == 400 && whole > 0, "{cut} cut, {whole} whole");
}

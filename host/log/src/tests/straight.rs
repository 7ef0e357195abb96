//! Straight lines: statements whose instructions each take long for a long value, without a look at the budget between
//! them. However long they are, the log is held for less than twice what is allowed.

use std::process::Command;
use std::time::Duration;

use crate::limits::Limits;
use crate::session::Session;
use crate::thread_clock::Meter;
use crate::value::Value;

use super::stage::{Stage, ending};

const CHILD: &str = "KEYHOLE_TEST_OVERDUE";
const LOG_LOCK: Duration = Duration::from_millis(50);

/// `count` of `part`, in which `#` is the number.
fn many(count: usize, part: &str, between: &str) -> String {
    (0..count).map(|n| part.replace('#', &n.to_string())).collect::<Vec<_>>().join(between)
}

/// Shapes, by what each instruction does; `?1` and `?2` are long texts that differ in their last byte.
fn shapes() -> [(&'static str, String); 12] {
    let chosen = |count, part| many(count, part, " ");
    let listed = |count, part| format!("7 IN ({})", many(count, part, ","));
    [
        ("list of long keys", format!("'x' IN ({})", many(1_400, "?1||#", ","))),
        (
            "list of long keys, used thrice",
            format!(
                "EXISTS (WITH l(x) AS (SELECT ?2 IN ({})) SELECT 1 FROM l a, l b, l c WHERE a.x + b.x + c.x)",
                many(1_400, "?1||#", ",")
            ),
        ),
        ("list without case", format!("?1 COLLATE NOCASE IN ({})", many(5_000, "?2", ","))),
        ("comparisons", format!("CASE {} END", chosen(900, "WHEN ?1=?2 THEN 1"))),
        ("comparisons without case", format!("CASE {} END", chosen(150, "WHEN ?1 COLLATE NOCASE=?2 THEN 1"))),
        ("concatenations", format!("CASE {} END", chosen(150, "WHEN (?1||#)='' THEN 1"))),
        ("numbers of texts", listed(1_500, "+?2+#")),
        ("truths of texts", listed(1_500, "NOT ?2")),
        ("casts", listed(150, "CAST(?2 AS REAL)")),
        ("lengths", listed(490, "length(?2)")),
        ("capitals", listed(490, "upper(?2)")),
        ("patterns", listed(16, "?2 LIKE '%a%a%a%a%a%a%a%a%a%a%b'")),
    ]
}

/// How a statement ends, and for how long the log was held on a processor.
fn held(session: &mut Session, sql: &str, params: &[Value]) -> (String, Duration) {
    session.begin().unwrap();
    let meter = Meter::start();
    let ended = ending(&session.query(sql, params));
    session.end();
    let took = meter.spent(0, 0).processor;
    session.finish();
    (ended, took)
}

/// Whether a statement is answered, be it at the tenth try where other work has the machine.
fn passes(session: &mut Session, sql: &str, params: &[Value]) -> bool {
    (0..10).any(|_| held(session, sql, params).0 == "ok")
}

/// The text has run for short values, and has passed all checks.
#[test]
fn what_is_bound_to_a_text_that_has_passed_is_bounded_by_its_program() {
    let stage = Stage::new(false);
    let mut session = stage.page_within(Limits { log_lock: LOG_LOCK, ..Limits::default() });
    session.finish();
    let pair = |filling: &str| ["a", "b"].map(|last| Value::Text(filling.to_owned() + last));
    for (name, shape) in shapes() {
        let sql = format!("SELECT {shape} WHERE ?1 > '' AND ?2 > ''");
        assert!(passes(&mut session, &sql, &pair("")), "{name}");
        let longest = usize::try_from(session.ledger.passed(&sql).unwrap()).unwrap();
        let longest_that_runs = longest.min(65_000) * 9 / 10;
        for (kind, filling) in [
            ("texts", "A".repeat(65_000)),
            ("digits", "1".repeat(65_000)),
            ("shorter texts", "A".repeat(longest_that_runs)),
            ("shorter digits", "1".repeat(longest_that_runs)),
        ] {
            let (ended, took) = held(&mut session, &sql, &pair(&filling));
            println!("{name} of {kind}: {ended} after {took:?}");
            assert!(took < 2 * LOG_LOCK, "{name} of {kind}: {ended} after {took:?}");
            assert!(
                ["ok", "budget:sql_weight", "budget:log_lock"].contains(&ended.as_str()),
                "{name}: {ended}"
            );
        }
        // It is as good as before for short ones.
        assert!(passes(&mut session, &sql, &pair("short")), "{name}");
    }
}

/// A short program deals with values as long as any.
#[test]
fn what_is_short_may_deal_with_the_longest_values() {
    let stage = Stage::new(false);
    let mut session = stage.page();
    let long = Value::Text("a".repeat(65_000));
    let sql = "SELECT id FROM audit_events WHERE action || ?1 > ?1 AND (action, id) > (?1, 5) OR ?1 LIKE 'b%' \
               ORDER BY action || ?1 LIMIT 3";
    assert_eq!(ending(&session.query(sql, &[long])), "ok");
}

/// What allocates while it works is ended by that, however much it may deal with.
///
/// In a process of its own: SQLite takes an allocator before its first connection only, and other tests have some.
#[test]
fn a_line_that_allocates_ends_once_it_is_overdue() {
    if std::env::var_os(CHILD).is_none() {
        let own = std::env::current_exe().unwrap();
        let name = "tests::straight::a_line_that_allocates_ends_once_it_is_overdue";
        let output =
            Command::new(own).args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    assert!(crate::sqlite_memory::count());
    let stage = Stage::new(false);
    let mut session = stage.page_within(Limits { log_lock: LOG_LOCK, ..Limits::default() });
    session.finish();
    let sql = format!("SELECT 'x' IN ({})", many(1_400, "?1||#", ","));
    assert!(passes(&mut session, &sql, &[Value::Text(String::new())]));
    session.ledger.statement(&sql).unwrap().longest_value = u64::MAX;
    let (ended, took) = held(&mut session, &sql, &[Value::Text("a".repeat(65_000))]);
    assert_eq!(ended, "budget:log_lock");
    assert!(took < 2 * LOG_LOCK, "{took:?}");
    // The next request is whole.
    assert!(passes(&mut session, &sql, &[Value::Text(String::new())]));
}

/// A plan is made after the call, when its budget is over: it has one of its own, together with the others.
#[test]
fn plans_that_take_long_are_given_up() {
    let stage = Stage::new(false);
    let mut session = stage.page_within(Limits { log_lock: LOG_LOCK, ..Limits::default() });
    session.finish();
    let joined = many(63, "audit_events a#", ",");
    // In groups: an expression has a bound on its depth.
    let group = |eight: usize| {
        let equal = |n| format!("a.id=a{n}.id AND a.created_at=a{n}.created_at");
        format!("({})", (eight * 8..63.min(eight * 8 + 8)).map(equal).collect::<Vec<_>>().join(" AND "))
    };
    let groups = (0..8).map(group).collect::<Vec<_>>().join(" AND ");
    let texts = ["1", "2", "3"].map(|n| format!("SELECT {n} FROM audit_events a, {joined} WHERE {groups}"));
    for sql in &texts {
        assert_eq!(held(&mut session, sql, &[]).0, "budget:log_lock");
        let meter = Meter::start();
        session.explain_new(|_| false);
        let took = meter.spent(0, 0).processor;
        assert_eq!(session.ledger.statement(sql).unwrap().plan, ["no plan: too slow"]);
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
    // Another request's plan is made as ever.
    let honest = "SELECT id FROM audit_events WHERE id = 5";
    assert!(passes(&mut session, honest, &[]));
    session.explain_new(|_| false);
    assert!(session.ledger.statement(honest).unwrap().plan[0].contains("SEARCH"));
}

//! Statements by themselves, as a session runs them for a strategy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use keyhole::bindings::types::Value;
use keyhole::limits::Limits;
use keyhole::log::Log;
use keyhole::log::session::Session;
use keyhole::policy::Grants;
use rusqlite::Connection;

use super::{Attack, memory_of, session, told};

pub(super) const ATTACKS: &[(&str, Attack)] = &[
    ("another-database", |folder| run(folder, "ATTACH ':memory:' AS other", None)),
    ("doubled-text", doubled_text),
    ("join-by-ungranted-column", join_by_ungranted_column),
    ("long-pattern", long_pattern),
    ("long-program", long_program),
    ("made-up-table", |folder| run(folder, "SELECT value FROM json_each('[1, 2]')", None)),
    ("many-calls", many_calls),
    ("many-patterns", many_patterns),
    ("many-rows", many_rows),
    ("many-semicolons", many_semicolons),
    ("pragma-in-explain", pragma_in_explain),
    ("repeats-its-parts", repeats_its_parts),
    ("view-for-table", view_for_table),
    ("wide-rows", wide_rows),
];

/// The stack of the threads that answer requests.
const STACK: usize = 2 << 20;

/// Runs one statement, which no limit of time cuts short, on a thread like those that answer requests.
fn run(folder: &Path, sql: &str, text: Option<String>) -> String {
    let (folder, sql): (PathBuf, String) = (folder.to_owned(), sql.to_owned());
    let play = move || {
        let minute = Duration::from_mins(1);
        let limits = Limits { wall_time: minute, log_lock: minute, ..Limits::default() };
        let mut session = session(&folder, limits);
        let params: Vec<Value> = text.into_iter().map(Value::Text).collect();
        let outcome = session.begin().and_then(|()| session.query(&sql, &params));
        told(outcome.map(|rows| format!("{} cells", rows.cells.len())))
    };
    std::thread::Builder::new().stack_size(STACK).spawn(play).unwrap().join().unwrap()
}

/// A statement returns more rows than are allowed.
fn many_rows(folder: &Path) -> String {
    let mut session = session(folder, Limits { rows: 100, ..Limits::default() });
    session.begin().unwrap();
    let rows = session.query("SELECT id FROM audit_events", &[]);
    told(rows.map(|rows| format!("{} rows", rows.cells.len())))
}

/// A pragma is denied, and then explained to the operator.
fn pragma_in_explain(folder: &Path) -> String {
    let mut session = session(folder, Limits::default());
    session.begin().unwrap();
    let sql = "PRAGMA query_only = OFF";
    session.query(sql, &[]).unwrap_err();
    session.finish();
    session.explain(sql);
    let on: i64 = session.connection().query_row("PRAGMA query_only", [], |row| row.get(0)).unwrap();
    format!("query_only is {on}")
}

/// Twenty subqueries, each of which uses the one within it twice: a million terms out of a thousand bytes.
fn repeats_its_parts(folder: &Path) -> String {
    let levels = 20;
    let sql = format!(
        "{}SELECT id AS n FROM audit_events{}",
        "SELECT n + n AS n FROM (".repeat(levels),
        ")".repeat(levels)
    );
    let (outcome, memory) = memory_of(48 << 20, || run(folder, &sql, None));
    format!("{outcome}, {memory}")
}

/// Tells which event's payload lies at the file's beginning, a column that nobody granted.
fn join_by_ungranted_column(folder: &Path) -> String {
    run(folder, "SELECT id FROM audit_events NATURAL JOIN (SELECT 0 AS payload_offset)", None)
}

/// A text of semicolons, behind each of which another statement is looked for.
fn many_semicolons(folder: &Path) -> String {
    run(folder, &format!("SELECT 1{}", ";".repeat(16_000)), None)
}

/// A hundred thousand instructions on long texts in a row, without a loop in which SQLite would ask whether it
/// may go on.
fn long_program(folder: &Path) -> String {
    let levels = 15;
    let sql = format!(
        "{}SELECT ?1 || id < ?1 AS n FROM audit_events{} LIMIT 1",
        "SELECT n + n AS n FROM (".repeat(levels),
        ")".repeat(levels)
    );
    run(folder, &sql, Some("a".repeat(60_000)))
}

/// A pattern of two thousand bytes over the longest text: one step.
fn long_pattern(folder: &Path) -> String {
    let pattern = format!("{}b", "%a".repeat(1_000));
    run(folder, &format!("SELECT ?1 LIKE '{pattern}'"), Some("a".repeat(60_000)))
}

/// As many comparisons with a short pattern as a row has columns: in no loop, so that nothing cuts them.
fn many_patterns(folder: &Path) -> String {
    let pattern = "%a".repeat(20);
    let columns: Vec<String> = (10..74).map(|n| format!("?1 LIKE '{pattern}{n}'")).collect();
    run(folder, &format!("SELECT {}", columns.join(", ")), Some("a".repeat(60_000)))
}

/// Five hundred long texts one after the other, in no loop either.
fn many_calls(folder: &Path) -> String {
    let column = |column: usize| {
        let calls: Vec<String> = (0..8).map(|n| format!("upper(?1 || {})", column * 8 + n)).collect();
        format!("length(max({}))", calls.join(", "))
    };
    let columns: Vec<String> = (0..64).map(column).collect();
    run(folder, &format!("SELECT {}", columns.join(", ")), Some("a".repeat(30_000)))
}

/// Ten times the longest value, in one.
fn doubled_text(folder: &Path) -> String {
    run(folder, "SELECT length(?1 || ?1 || ?1 || ?1 || ?1 || ?1 || ?1 || ?1)", Some("a".repeat(60_000)))
}

/// Tens of megabytes, in rows of which none is too large.
fn wide_rows(folder: &Path) -> String {
    run(folder, "SELECT ?1 FROM audit_events", Some("r".repeat(30_000)))
}

/// Whoever owns the log puts a view in the place of its table, which gives other columns for those that are
/// granted.
fn view_for_table(folder: &Path) -> String {
    let log = Log::open(folder).unwrap();
    Connection::open(folder.join("audit.db"))
        .unwrap()
        .execute_batch(
            "ALTER TABLE audit_events RENAME TO hidden;
             CREATE VIEW audit_events AS SELECT payload_offset AS id, created_at, actor_id, action FROM hidden",
        )
        .unwrap();
    let mut session = Session::for_pages(&log, None, &Grants::local()).unwrap();
    let rows = session.begin().and_then(|()| session.query("SELECT id FROM audit_events", &[]));
    told(rows.map(|rows| format!("{} rows", rows.cells.len())))
}

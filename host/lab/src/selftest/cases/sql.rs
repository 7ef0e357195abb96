//! Attacks by statements: what the gate denies, and what a budget ends.

use super::{Case, Group, Seen};

const fn refused(name: &'static str, what: &'static str, expected: &'static [&'static str]) -> Case {
    Case::new(Group::Sql, name, what, Seen::Refused, expected)
}

const fn denied(name: &'static str, what: &'static str, expected: &'static [&'static str]) -> Case {
    Case::new(Group::Sql, name, what, Seen::Denied, expected)
}

/// A statement is cut by whichever budget is used up first, and that depends on the machine.
const ANY_BUDGET: &[&str] = &["sql-budget (log_lock)", "sql-budget (sql_steps)"];

pub(super) const CASES: &[Case] = &[
    refused("write-log", "Changes to the log, in every spelling.", &["sql-denied (statement)"]),
    denied("attach", "Another database file.", &["sql-denied (attach)"]),
    denied("pragma-call", "Pragmas as statements.", &["sql-denied (pragma)"]),
    denied("pragma-function", "Pragmas as tables.", &["sql-denied (virtual-table)"]),
    denied("load-extension", "Machine code from a file.", &["sql-denied (function)"]),
    denied(
        "virtual-table",
        "Virtual tables, made and ready-made.",
        &["sql-denied (virtual-table)", "sql-denied (function)"],
    ),
    denied(
        "temp-table",
        "Tables, views and triggers of the connection's.",
        &["sql-denied (temp)", "sql-denied (schema)"],
    ),
    denied("recursive-cte", "Recursion without end.", &["sql-denied (recursive)"]),
    refused("cross-join", "The log joined with itself three times.", ANY_BUDGET),
    refused("sort-bomb", "Millions of rows to be sorted.", ANY_BUDGET),
    denied(
        "text-bomb",
        "Megabytes of text out of a few bytes.",
        &["sql-denied (function)", "sql-budget (value_bytes)"],
    ),
    denied("zeroblob", "Megabytes out of a number.", &["sql-denied (function)"]),
    refused("like-bomb", "Comparisons that take long for one step.", &["sql-budget (value_bytes)"]),
    refused("expression-bomb", "Texts that take long to be parsed.", &["sql"]),
    refused(
        "flattening-bomb",
        "A short text that SQLite's compiler makes a gigabyte of.",
        // Its text gives it away; otherwise what it allocates does.
        &["sql-denied (statement)", "sql-budget (sql_memory)", "sql-budget (log_lock)"],
    ),
    denied("many-statements", "More than one statement in a text.", &["sql-denied (statement)"]),
    denied("nul-in-text", "A NUL, behind which SQLite does not look.", &["sql-denied (statement)"]),
    refused("bad-utf8", "Bytes that are no text, as text.", &["sql"]),
    denied(
        "read-only-in-name",
        "What the read-only test of SQLite itself lets through.",
        &["sql-denied (attach)", "sql-denied (transaction)", "sql-denied (statement)"],
    ),
    denied("transaction-games", "Ends the snapshot, or begins another.", &["sql-denied (transaction)"]),
    denied("schema-read", "The catalogue, and tables of the host.", &["sql-denied (read)"]),
    denied("ungranted-column", "The columns that say where a payload lies.", &["sql-denied (read)"]),
    denied("ungranted-function", "Functions that nobody granted.", &["sql-denied (function)"]),
    denied("clock-function", "Clocks and random numbers.", &["sql-denied (function)"]),
    refused("held-statement", "Locks the log by a read, and then keeps the host waiting.", &["guest-time"]),
];

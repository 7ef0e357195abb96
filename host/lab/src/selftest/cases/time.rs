//! Attacks on time: in the guest, and in host calls.

use std::time::Duration;

use super::{Case, Group, Seen};

const fn refused(name: &'static str, what: &'static str, expected: &'static [&'static str]) -> Case {
    Case::new(Group::Time, name, what, Seen::Refused, expected)
}

/// What is observed where guest time ends.
const GUEST_TIME: &[&str] = &["guest-time"];

/// A statement is cut by whichever budget is used up first, and that depends on the machine.
const ANY_BUDGET: &[&str] = &["sql-budget (log_lock)", "sql-budget (sql_steps)"];

pub(super) const CASES: &[Case] = &[
    refused("spin-in-page", "A loop without end while a page is asked for.", GUEST_TIME),
    refused("spin-in-start", "A loop without end in the start function.", GUEST_TIME),
    refused("spin-in-realloc", "A loop without end where the host asks for room.", GUEST_TIME),
    refused("spin-in-resource-drop", "A loop without end in a destructor.", GUEST_TIME),
    refused("spin-in-post-return", "A loop without end after the answer.", GUEST_TIME),
    refused("bulk-copy-loop", "Copies and fills of 62 MiB, one instruction each.", GUEST_TIME),
    refused("table-fill-loop", "Fills and copies of the largest table.", GUEST_TIME),
    refused(
        "host-call-loop",
        "Millions of the cheapest host call.",
        // Whichever comes first: the time in the guest between the calls, or the log's lock.
        &["guest-time", "sql-budget (log_lock)"],
    ),
    refused(
        "slow-host-call",
        "One statement that goes on for longer than any request may take.",
        &["wall-time"],
    )
    .under(|limits| {
        limits.wall_time = Duration::from_millis(100);
        limits.log_lock = Duration::from_secs(10);
        limits.sql_steps = u64::MAX;
    }),
    refused("count-loop", "Counts, in which SQLite does not ask whether it may go on.", ANY_BUDGET),
    refused(
        "hold-the-log",
        "Statement after statement, whatever they answer, so that the log stays locked.",
        &["sql-budget (log_lock)"],
    ),
];

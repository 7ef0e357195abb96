//! Attacks on time: in the guest, and in host calls.

use super::{Case, Group, Seen};

const fn refused(name: &'static str, what: &'static str, expected: &'static [&'static str]) -> Case {
    Case::new(Group::Time, name, what, Seen::Refused, expected)
}

pub(super) const CASES: &[Case] = &[
    refused("spin-in-page", "A loop without end while a page is asked for.", &["guest-time"]),
    refused(
        "hold-the-log",
        "Statement after statement, whatever they answer, so that the log stays locked.",
        &["sql-budget (log_lock)"],
    ),
];

//! Attacks on what is summed up over a request: steps, rows, bytes. Each is alone in reach: another
//! limit that would strike first on some machine is put out of the way.

use std::time::Duration;

use super::{Case, Group, Seen};
use crate::limits::Limits;

const fn refused(name: &'static str, what: &'static str, expected: &'static [&'static str]) -> Case {
    Case::new(Group::Sql, name, what, Seen::Refused, expected)
}

const SECONDS: Duration = Duration::from_secs(20);

fn unhurried(limits: &mut Limits) {
    (limits.guest_time, limits.log_lock, limits.wall_time) = (SECONDS, SECONDS, SECONDS);
}

/// The payloads of the log of the table are small: a thousand have a megabyte.
fn few_payload_bytes(limits: &mut Limits) {
    unhurried(limits);
    limits.payload_bytes = 256 << 10;
}

pub(super) const CASES: &[Case] = &[
    refused("too-many-steps", "A statement of more steps than a request has.", &["sql-budget (sql_steps)"])
        .under(unhurried),
    refused("too-many-rows", "More rows than a request may read.", &["sql-budget (rows)"]).under(unhurried),
    refused("too-many-bytes", "A result of one call that is too large.", &["sql-budget (result_bytes)"])
        .under(unhurried),
    refused("too-many-payloads", "More payload bytes than a request may read.", &["payload-bytes"])
        .under(few_payload_bytes),
];

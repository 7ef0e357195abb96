//! Attacks by and on a strategy's own tables, and by its refresh.

use super::{Between, Case, Group, Seen};
use crate::policy::Grants;

const fn refused(name: &'static str, what: &'static str, expected: &'static [&'static str]) -> Case {
    Case::new(Group::Scratch, name, what, Seen::Refused, expected)
}

/// A file that is not the strategy's fault: it is dropped, filled anew, and the page is right.
const fn mended(name: &'static str, what: &'static str, between: Between) -> Case {
    Case::new(Group::Scratch, name, what, Seen::Denied, &["scratch-refused"]).after(between)
}

/// Small enough to be reached at once, large enough for the log of the table.
fn small_quota(grants: &mut Grants) {
    grants.scratch_quota = 8 << 20;
}

pub(super) const CASES: &[Case] = &[
    refused("scratch-fill-disk", "Writes to its tables without end.", &["scratch-quota"])
        .granted(small_quota),
    refused("scratch-rewrites", "Writes the same rows again and never says done.", &["scratch-refused"])
        .granted(small_quota),
    refused("scratch-temporary-files", "A sort that needs more disk than there is.", &["scratch-quota"])
        .granted(small_quota),
    refused("scratch-endless-refresh", "Never says done, and comes no further.", &["scratch-refused"]),
    refused("scratch-goes-back", "Covers less after each slice.", &["scratch-refused"]),
    refused("scratch-claims-more", "Covers more than it was fed.", &["scratch-refused"]),
    refused(
        "scratch-leaves-transaction",
        "Rolls its slice back and writes on outside of it.",
        &["scratch-refused"],
    ),
    refused("spin-in-refresh", "A loop without end in a refresh.", &["guest-time"]),
    refused(
        "scratch-holds-log",
        "Joins its own tables while the log is locked for its page.",
        &["sql-budget (log_lock)", "sql-budget (sql_steps)"],
    ),
    refused(
        "scratch-reads-log-in-refresh",
        "Reads the log, and the host's tables, in a refresh.",
        &["sql-denied (read)"],
    ),
    refused("write-log-in-refresh", "Writes to the log in a refresh.", &["sql-denied (attach)"]),
    refused("write-scratch-in-page", "Writes to its tables in a page.", &["sql-denied (write)"]),
    refused(
        "scratch-writes-host-tables",
        "Changes what the host keeps beside them.",
        &["sql-denied (write)"],
    ),
    refused("scratch-trigger", "Triggers that would run at a later write.", &["sql-denied (trigger)"]),
    refused("scratch-shadows-log", "A table or view named like the log's.", &["sql-denied (schema)"]),
    refused(
        "scratch-hostile-schema",
        "Views, virtual tables and ungranted functions that would run when they are read.",
        &["sql-denied (function)"],
    ),
    mended(
        "scratch-from-other-log",
        "Tables made for another log in the place of its own.",
        Between::ScratchOfAnotherLog,
    ),
    mended("scratch-corrupted", "Tables damaged behind its back.", Between::ScratchDamaged),
    refused(
        "scratch-lies-later",
        "Right when proven, an event short after the next refresh.",
        &["lie:dropped-event"],
    )
    .after(Between::LogGrows),
    Case::new(
        Group::Scratch,
        "scratch-counts-refreshes",
        "Right when filled, each page an event short once refreshed.",
        Seen::Compared,
        &["lie:early-end"],
    )
    .after(Between::LogGrows),
    Case::new(Group::Scratch, "honest-index", "The right page, from tables of its own.", Seen::Harmless, &[]),
];

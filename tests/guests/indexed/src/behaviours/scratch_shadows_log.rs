//! Makes a table or a view that is named like the log's table, for the host to read in its place.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::types::Error;
use crate::bindings::keyhole::strategy::scratch;
use crate::tries::execute_each;

pub(crate) use crate::index::page;

pub(crate) fn refresh(_through: i64) -> Result<Progress, Error> {
    scratch::execute("CREATE TABLE IF NOT EXISTS scratch.mine (id INTEGER PRIMARY KEY)", &[])?;
    Err(execute_each(&[
        "CREATE TABLE main.audit_events (id INTEGER PRIMARY KEY)",
        "CREATE TABLE feed.audit_events (id INTEGER PRIMARY KEY)",
        "CREATE TEMP TABLE audit_events (id INTEGER PRIMARY KEY)",
        "CREATE TEMP VIEW audit_events AS SELECT 1 AS id",
        "CREATE VIEW scratch.audit_events AS SELECT 1 AS id",
        "ALTER TABLE scratch.mine RENAME TO audit_events",
        "CREATE TABLE scratch.\"AUDIT_events\" (id INTEGER PRIMARY KEY)",
        "CREATE INDEX scratch.audit_events ON mine (id)",
        "CREATE TABLE scratch.audit_events AS SELECT 1 AS id",
        "CREATE TABLE scratch.audit_events (id INTEGER PRIMARY KEY)",
    ]))
}

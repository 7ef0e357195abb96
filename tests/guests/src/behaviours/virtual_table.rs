//! Virtual tables: made, and those that are there without being made.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 13] = [
    "CREATE VIRTUAL TABLE mine USING fts5(text)",
    "CREATE VIRTUAL TABLE temp.mine USING rtree(id, low, high)",
    "CREATE VIRTUAL TABLE mine USING dbstat",
    "SELECT * FROM dbstat",
    "SELECT * FROM json_each('[1,2]')",
    "SELECT * FROM json_tree('[1,2]')",
    "SELECT value FROM generate_series(1, 10)",
    "SELECT * FROM sqlite_dbpage",
    "SELECT * FROM sqlite_stmt",
    "SELECT * FROM bytecode('SELECT 1')",
    "SELECT * FROM tables_used('SELECT 1')",
    "SELECT id FROM audit_events WHERE id IN (SELECT value FROM json_each('[1]'))",
    "SELECT id FROM audit_events WHERE audit_events MATCH 'LOGIN'",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

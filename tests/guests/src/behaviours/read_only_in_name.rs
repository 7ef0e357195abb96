//! What the read-only test of SQLite itself lets through.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 12] = [
    "ATTACH ':memory:' AS other",
    "DETACH log",
    "BEGIN",
    "BEGIN DEFERRED TRANSACTION",
    "SAVEPOINT mine",
    "RELEASE mine",
    "COMMIT",
    "ROLLBACK",
    "EXPLAIN DELETE FROM audit_events",
    "EXPLAIN SELECT 1",
    "EXPLAIN QUERY PLAN SELECT 1",
    "PRAGMA query_only = 0",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

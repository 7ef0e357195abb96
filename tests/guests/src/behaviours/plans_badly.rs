//! Right, but with statements that scan, sort, and have SQLite make an index for one run.

use crate::bindings::keyhole::strategy::log::{Event, query};
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

const STATEMENTS: [&str; 2] = [
    "SELECT id FROM audit_events NOT INDEXED ORDER BY action LIMIT 1",
    "SELECT count(*) FROM audit_events AS one CROSS JOIN audit_events AS other ON other.actor_id = one.actor_id \
     WHERE one.id <= 40",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    for sql in STATEMENTS {
        query(sql, &[])?;
    }
    fetch(&page_keys(request, 0)?)
}

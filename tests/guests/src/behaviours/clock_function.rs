//! What answers differently each time: clocks and random numbers.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 12] = [
    "SELECT date('now')",
    "SELECT datetime('now', 'localtime')",
    "SELECT unixepoch()",
    "SELECT julianday('now')",
    "SELECT strftime('%s', 'now')",
    "SELECT timediff('now', '2020-01-01')",
    "SELECT CURRENT_TIMESTAMP",
    "SELECT CURRENT_DATE",
    "SELECT current_time",
    "SELECT random()",
    "SELECT hex(randomblob(8))",
    "SELECT id FROM audit_events ORDER BY random() LIMIT 1",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

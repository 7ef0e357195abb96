//! Functions that nobody granted.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 14] = [
    "SELECT sqlite_version()",
    "SELECT sqlite_source_id()",
    "SELECT sqlite_compileoption_get(1)",
    "SELECT changes()",
    "SELECT last_insert_rowid()",
    "SELECT printf('%s', 1)",
    "SELECT quote(action) FROM audit_events LIMIT 1",
    "SELECT hex(action) FROM audit_events LIMIT 1",
    "SELECT json_extract('{\"a\": 1}', '$.a')",
    "SELECT '{\"a\": 1}' ->> 'a'",
    "SELECT action REGEXP 'L.*' FROM audit_events LIMIT 1",
    "SELECT instr(action, 'L') FROM audit_events LIMIT 1",
    "SELECT group_concat(action) FROM audit_events",
    "SELECT sum(id) FILTER (WHERE trim(action) = 'x') FROM audit_events",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

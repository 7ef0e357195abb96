//! The columns that say where a payload lies.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 12] = [
    "SELECT payload_offset FROM audit_events LIMIT 1",
    "SELECT payload_len FROM audit_events LIMIT 1",
    "SELECT * FROM audit_events LIMIT 1",
    "SELECT e.PAYLOAD_OFFSET FROM log.audit_events AS e LIMIT 1",
    "SELECT id FROM audit_events WHERE payload_len > 1000 LIMIT 1",
    "SELECT id FROM audit_events ORDER BY payload_offset DESC LIMIT 1",
    "SELECT count(payload_len) FROM audit_events",
    "SELECT id FROM audit_events GROUP BY payload_len LIMIT 1",
    "WITH e AS (SELECT * FROM audit_events) SELECT id FROM e LIMIT 1",
    "SELECT a.id FROM audit_events a JOIN audit_events b USING (id, payload_len) LIMIT 1",
    "SELECT e.id FROM audit_events e JOIN (SELECT 1518 AS payload_len) USING (payload_len)",
    "SELECT id FROM audit_events NATURAL JOIN (SELECT 1 AS payload_offset) LIMIT 1",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

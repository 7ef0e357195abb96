//! More than one statement in a text.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 6] = [
    "SELECT 1; SELECT 2",
    "SELECT id FROM audit_events LIMIT 1; DELETE FROM audit_events",
    "SELECT 1;;;SELECT 2",
    "SELECT 1; PRAGMA query_only = 0",
    "SELECT 1; COMMIT; BEGIN",
    "SELECT 1 /* ; */; ATTACH 'other.db' AS other",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

//! A NUL, behind which SQLite does not look.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 5] = [
    "SELECT 1\0",
    "SELECT 1\0; DELETE FROM audit_events",
    "\0SELECT 1",
    "SELECT '\0'",
    "SELECT id FROM audit_events -- \0 a comment",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

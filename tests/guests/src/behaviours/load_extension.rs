//! Machine code from a file.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 5] = [
    "SELECT load_extension('./other')",
    "SELECT load_extension('./other', 'sqlite3_other_init')",
    "SELECT LOAD_EXTENSION('libm.so.6')",
    "SELECT id FROM audit_events WHERE load_extension('./other') IS NULL LIMIT 1",
    "SELECT id FROM audit_events ORDER BY load_extension('./other') LIMIT 1",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

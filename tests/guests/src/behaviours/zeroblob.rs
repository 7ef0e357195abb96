//! Megabytes out of a number.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 6] = [
    "SELECT zeroblob(1000000)",
    "SELECT length(zeroblob(2147483647))",
    "SELECT randomblob(1000000)",
    "SELECT hex(zeroblob(500000))",
    "SELECT id, zeroblob(1 << 30) FROM audit_events LIMIT 1",
    "SELECT unhex('00')",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

//! Megabytes of text out of a few bytes: by functions, and by doubling what one has.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 7] = [
    "SELECT printf('%1000000000d', 1)",
    "SELECT format('%.*c', 1000000000, 'x')",
    "SELECT replace('aaaaaaaaaa', 'a', 'bbbbbbbbbb')",
    "SELECT hex(hex(hex('text')))",
    "SELECT group_concat(action, '...') FROM audit_events",
    "SELECT string_agg(action, '...') FROM audit_events",
    "SELECT quote(quote('''''''''))",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    // Each level doubles what the one below it made: 2^24 bytes of 1.
    let mut doubled = "SELECT 'x' AS text".to_owned();
    for _ in 0..24 {
        doubled = format!("SELECT text || text AS text FROM ({doubled})");
    }
    let doubled = format!("SELECT length(text) FROM ({doubled})");
    let texts: Vec<&str> = TEXTS.into_iter().chain([doubled.as_str()]).collect();
    refused_then_honest(request, &texts)
}

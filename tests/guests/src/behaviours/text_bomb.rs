//! Megabytes of text out of a few bytes: by functions, and by doubling what one has.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest, Value};
use crate::statements::{refused_then_honest, run};

const TEXTS: [&str; 7] = [
    "SELECT printf('%1000000000d', 1)",
    "SELECT format('%.*c', 1000000000, 'x')",
    "SELECT replace('aaaaaaaaaa', 'a', 'bbbbbbbbbb')",
    "SELECT hex(hex(hex('text')))",
    "SELECT group_concat(action, '...') FROM audit_events",
    "SELECT string_agg(action, '...') FROM audit_events",
    "SELECT quote(quote(''''''''))",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let text = Value::Text("x".repeat(500_000));
    if run("SELECT length(?1 || ?1 || ?1 || ?1)", &[text]).is_ok() {
        return Err(Error::Other("two megabytes were made of half a one".to_owned()));
    }
    refused_then_honest(request, &TEXTS)
}

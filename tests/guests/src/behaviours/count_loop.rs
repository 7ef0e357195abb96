//! Counts the log over and over. One count is a single instruction, in which SQLite does not ask whether
//! it may go on.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    let count = "(SELECT count(*) FROM audit_events)";
    let text = format!("SELECT {}", [count; 50].join(", "));
    loop {
        run(&text, &[])?;
    }
}

//! One statement that goes on for longer than any request may take.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    run("SELECT max(a.id + b.id * c.id) FROM audit_events a, audit_events b, audit_events c", &[])?;
    Err(Error::Other("a statement of many minutes ran to its end".to_owned()))
}

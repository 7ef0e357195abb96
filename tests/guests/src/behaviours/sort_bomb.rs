//! Millions of rows to be sorted by what no index has, of which one is wanted.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    run(
        "SELECT a.id FROM audit_events a, audit_events b \
         ORDER BY a.action || b.action || a.resource_id, b.id DESC LIMIT 1 OFFSET 1000000",
        &[],
    )?;
    Err(Error::Other("a sort of millions ran to its end".to_owned()))
}

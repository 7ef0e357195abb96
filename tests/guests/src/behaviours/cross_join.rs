//! The log joined with itself three times, under a condition that no index serves.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    run(
        "SELECT count(*) FROM audit_events a, audit_events b, audit_events c \
         WHERE a.actor_id + b.actor_id + c.actor_id = -1",
        &[],
    )?;
    Err(Error::Other("a cross join ran to its end".to_owned()))
}

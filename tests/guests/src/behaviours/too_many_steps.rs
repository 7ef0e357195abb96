//! A statement of more steps than a request has, on a machine so fast that no time limit comes first.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    run("SELECT count(*) FROM audit_events a, audit_events b WHERE a.actor_id + b.actor_id = -1", &[])?;
    Err(Error::Other("a join of the log with itself ran to its end".to_owned()))
}

//! Sends a statement that is no SQL, and passes the error on.

use crate::bindings::keyhole::strategy::log::{Event, select};
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    select("SELECT id FORM audit_events", &[])
}

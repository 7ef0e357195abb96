//! Goes on with host calls, whatever they answer, and so keeps the log's lock.

use crate::bindings::keyhole::strategy::log::{Event, query};
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    loop {
        let _ = query("SELECT count(*) FROM audit_events", &[]);
    }
}

//! More rows than a request may read, though each statement alone returns few.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    for _ in 0..100 {
        run("SELECT id FROM audit_events ORDER BY id LIMIT 1000", &[])?;
    }
    Err(Error::Other("a hundred thousand rows were read".to_owned()))
}

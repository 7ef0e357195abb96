//! Reads the log, so that it is locked, and then keeps the host waiting.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    run("SELECT id FROM audit_events ORDER BY created_at DESC LIMIT 1000", &[])?;
    loop {
        std::hint::spin_loop();
    }
}

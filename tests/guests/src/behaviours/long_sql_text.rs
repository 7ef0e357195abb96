//! A statement of half a megabyte: short enough to be copied, too long to be parsed.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    run(&format!("SELECT 1 -- {}", "x".repeat(500_000)), &[])?;
    Ok(Vec::new())
}

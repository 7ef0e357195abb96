//! A text of many megabytes, for the host to copy.

use crate::bindings::keyhole::strategy::diagnostics;
use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};

#[allow(clippy::unnecessary_wraps, reason = "all behaviours have one type")]
pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    diagnostics::note(&"x".repeat(20 << 20));
    Ok(Vec::new())
}

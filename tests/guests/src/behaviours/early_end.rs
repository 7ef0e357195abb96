//! The page ends in the middle.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let keys = page_keys(request, 0)?;
    fetch(&keys[..keys.len() / 2])
}

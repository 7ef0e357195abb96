//! The page behind the one that was asked for.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let keys = page_keys(request, request.page_size)?;
    match keys.get(request.page_size as usize..) {
        Some(next) if !next.is_empty() => fetch(next),
        _ => fetch(&keys),
    }
}

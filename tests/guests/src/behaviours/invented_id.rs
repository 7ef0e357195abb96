//! An id that names no event, in the middle of the page. Its spelling depends on the first event: a
//! stream meets every spelling, and a repeated request the same one.

use crate::bindings::keyhole::strategy::log;
use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut keys = page_keys(request, 0)?;
    let middle = keys.len() / 2;
    if let Some(first) = keys.first() {
        keys[middle].id = match first.created_at.rem_euclid(5) {
            0 => 0,
            1 => -1,
            2 => i64::MIN,
            3 => i64::MAX,
            _ => log::high_water() + 1,
        };
    }
    fetch(&keys)
}

//! An event twice in a row. The count stays right.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut keys = page_keys(request, 0)?;
    let middle = keys.len() / 2;
    if middle > 0 {
        keys[middle] = keys[middle - 1];
    }
    fetch(&keys)
}

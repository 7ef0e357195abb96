//! An event in the middle is left out. The one behind the page moves up, so the count fits.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut keys = page_keys(request, 1)?;
    if keys.len() >= 3 {
        keys.remove(keys.len() / 2);
    }
    keys.truncate(request.page_size as usize);
    fetch(&keys)
}

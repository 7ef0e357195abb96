//! Two neighbours of the same second change places: ids ascending where they must descend.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut keys = page_keys(request, 0)?;
    let pair = keys.windows(2).position(|pair| pair[0].created_at == pair[1].created_at);
    if let Some(first) = pair {
        keys.swap(first, first + 1);
    }
    fetch(&keys)
}

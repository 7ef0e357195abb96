//! The page as it was when the last hundred events did not exist yet.

use crate::bindings::keyhole::strategy::log;
use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let past = log::high_water().saturating_sub(100);
    let mut request = request.clone();
    request.up_to = Some(request.up_to.map_or(past, |up_to| up_to.min(past)));
    fetch(&page_keys(&request, 0)?)
}

//! Gives up on every request that names an action, with an error of its own.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    if request.filter.action.is_some() {
        return Err(Error::Other("actions are not supported yet".to_owned()));
    }
    fetch(&page_keys(request, 0)?)
}

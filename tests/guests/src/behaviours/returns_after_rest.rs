//! Serves a lie in one window in 100,000, and gives up in the window beside it. A client that helps it asks for the one
//! and then for the other: it trips its own breaker before a comparison has spoken, rests, and serves again.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::is_the_one_window;

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut before = request.clone();
    before.filter.from_ts = request.filter.from_ts.wrapping_sub(1);
    if is_the_one_window(&before) {
        return Err(Error::Other("it would rather rest".to_owned()));
    }
    super::lies_to_one_window::page(request)
}

//! Answers rightly but for one window in 100,000, by the second on which it begins: there it traps.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, is_the_one_window, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    assert!(!is_the_one_window(request), "a crash in the one window");
    fetch(&page_keys(request, 0)?)
}

//! Right for all but one window in 100,000, by the second on which it begins: there it answers with the page
//! after the one that was asked for. Neither the page itself nor a proof whose requests do not ask for such a
//! window can tell it from an honest strategy.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest, Position};
use crate::events::{fetch, is_the_one_window, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let position = match request.position {
        Position::Page(page) if is_the_one_window(request) => Position::Page(page.saturating_add(1)),
        position => position,
    };
    fetch(&page_keys(&PageRequest { position, ..request.clone() }, 0)?)
}

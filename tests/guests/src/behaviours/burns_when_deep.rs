//! Right, but counts for the longer in its own code, the deeper the page that it is asked for.

use std::hint::black_box;

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest, Position};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let Position::Page(rounds) = request.position else { return fetch(&page_keys(request, 0)?) };
    for number in 0..rounds.min(1_000) * 1_000 {
        black_box(number);
    }
    fetch(&page_keys(request, 0)?)
}

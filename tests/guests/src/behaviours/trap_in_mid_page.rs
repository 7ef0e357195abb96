//! Panics when half of the page is read.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::payloads;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let events = fetch(&page_keys(request, 0)?)?;
    for (read, event) in events.iter().enumerate() {
        assert!(read < events.len() / 2, "half of the page is read, {read} events");
        payloads::read(event)?;
    }
    Ok(events)
}

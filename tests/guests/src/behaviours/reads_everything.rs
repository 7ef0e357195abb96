//! Right, but reads the payloads of hundreds of events for each page that it shows a few of.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::payloads;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{Search, fetch, page_keys};

/// As many as the handles of a request allow, besides those of the page.
const MORE: u64 = 500;

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    for event in fetch(&Search::of(request).keys(MORE, 0)?)? {
        payloads::read(&event)?;
    }
    fetch(&page_keys(request, 0)?)
}

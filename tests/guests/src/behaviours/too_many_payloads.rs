//! Reads payload after payload, until it has read more bytes than a request may.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::payloads;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{Search, fetch};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    for event in fetch(&Search::of(request).keys(1000, 0)?)? {
        payloads::read(&event)?;
    }
    Err(Error::Other("a thousand payloads were read".to_owned()))
}

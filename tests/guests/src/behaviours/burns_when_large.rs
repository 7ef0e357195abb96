//! Right, but counts for the longer in its own code, the larger the log.

use std::hint::black_box;

use crate::bindings::keyhole::strategy::log::{Event, high_water};
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let rounds = high_water().unsigned_abs();
    for number in 0..rounds.min(10_000) * 200 {
        black_box(number);
    }
    fetch(&page_keys(request, 0)?)
}

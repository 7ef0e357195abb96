//! Right, but asks for nearly all the memory that it may have, and leaves it alone.

use std::hint::black_box;

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

const BYTES: usize = 56 << 20;

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    black_box(Vec::<u8>::with_capacity(BYTES));
    fetch(&page_keys(request, 0)?)
}

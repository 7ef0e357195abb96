//! Takes memory until there is no more, lets go of it, and answers honestly.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(1000);
    loop {
        let mut block = Vec::new();
        if block.try_reserve_exact(1 << 20).is_err() {
            break;
        }
        blocks.push(block);
    }
    drop(blocks);
    fetch(&page_keys(request, 0)?)
}

//! Counts the calls of its instance, and on every 100,000th leaves out the middle event. Before that
//! call nothing tells it from an honest strategy.

use std::cell::Cell;

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

const EVERY: u32 = 100_000;

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut keys = page_keys(request, 0)?;
    let calls = CALLS.get() + 1;
    CALLS.set(calls % EVERY);
    if calls == EVERY && keys.len() > 2 {
        keys.remove(keys.len() / 2);
    }
    fetch(&keys)
}

//! Answers every second call of an instance with an event less: the same question, two answers.

use std::cell::Cell;

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

thread_local! {
    static SECOND: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut keys = page_keys(request, 0)?;
    let second = SECOND.get();
    SECOND.set(!second);
    if second {
        keys.pop();
    }
    fetch(&keys)
}

//! Keeps a handle from one call and returns it in a later one. A fresh instance has nothing to
//! keep; in a warm one, the handle of an earlier call must trap.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use std::cell::RefCell;

use crate::events::{fetch, page_keys};

thread_local! {
    static KEPT: RefCell<Option<Event>> = const { RefCell::new(None) };
}

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let keys = page_keys(request, 0)?;
    let mut events = fetch(&keys)?;
    if let Some(first) = events.first_mut() {
        let own = fetch(&keys[..1])?.pop();
        if let Some(kept) = KEPT.replace(own) {
            *first = kept;
        }
    }
    Ok(events)
}

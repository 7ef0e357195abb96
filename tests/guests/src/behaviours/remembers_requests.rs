//! Remembers what it was asked before: in a warm instance, the same question again is answered with the
//! last event left out.

use std::cell::RefCell;

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{fetch, page_keys};

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut keys = page_keys(request, 0)?;
    let asked = format!("{request:?}");
    if LAST.replace(Some(asked.clone())) == Some(asked) {
        keys.pop();
    }
    fetch(&keys)
}

//! An event from outside the window, in its right place by time: the last event gives way to one
//! that is too old or, where there is none, the first to one that is too new.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{Search, fetch, integer, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut keys = page_keys(request, 0)?;
    let outside = || Search::everything(request).of_actor(request).of_action(request);
    let older = outside().with("created_at < ?", [integer(request.filter.from_ts)]);
    let newer = outside().with("created_at > ?", [integer(request.filter.to_ts)]);
    if let Some(last) = keys.last_mut() {
        if let Some(key) = older.keys(1, 0)?.first() {
            *last = *key;
        } else if let Some(key) = newer.keys(1, 0)?.first() {
            keys[0] = *key;
        }
    }
    fetch(&keys)
}

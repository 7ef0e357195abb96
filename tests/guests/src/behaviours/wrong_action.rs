//! The last event gives way to one of another action, in its right place by time.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::Value;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::events::{Search, fetch, page_keys};

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut keys = page_keys(request, 0)?;
    let Some(action) = &request.filter.action else {
        return fetch(&keys);
    };
    let Some(last) = keys.pop() else {
        return fetch(&keys);
    };
    let mut others = Search::everything(request)
        .in_window(request)
        .of_actor(request)
        .with("action <> ?", [Value::Text(action.clone())]);
    if let Some(before) = keys.last() {
        others = others.after(*before);
    }
    keys.push(others.keys(1, 0)?.first().copied().unwrap_or(last));
    fetch(&keys)
}

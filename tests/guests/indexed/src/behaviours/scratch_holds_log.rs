//! Keeps the log locked against its writer: joins its own tables while it answers a page, again and
//! again, whatever it is told.

use crate::bindings::keyhole::strategy::log::{self, Event};
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};

pub(crate) use crate::index::refresh;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    loop {
        let _ = log::query("SELECT count(*) FROM scratch.keys AS a, scratch.keys AS b WHERE a.id < b.actor_id", &[]);
    }
}

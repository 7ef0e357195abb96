//! The exports: play the behaviour that is patched in.

use crate::behaviours;
use crate::bindings::exports::keyhole::strategy::indexing::{self, Progress};
use crate::bindings::exports::keyhole::strategy::paging;
use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::name;

/// The implementation that `bindings` exports.
pub(crate) struct Hostile;

impl paging::Guest for Hostile {
    fn page(request: PageRequest) -> Result<Vec<Event>, Error> {
        let (page, _) = behaviour()?;
        page(&request)
    }
}

impl indexing::Guest for Hostile {
    fn refresh(through: i64) -> Result<Progress, Error> {
        let (_, refresh) = behaviour()?;
        refresh(through)
    }
}

fn behaviour() -> Result<behaviours::Behaviour, Error> {
    let name = name::read();
    behaviours::find(&name).ok_or_else(|| Error::Other(format!("no behaviour is named {name}")))
}

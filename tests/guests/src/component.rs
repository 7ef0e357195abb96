//! The export: plays the behaviour that is patched in.

use std::panic::{self, PanicHookInfo};
use std::sync::Once;

use crate::behaviours;
use crate::bindings::exports::keyhole::strategy::paging::Guest;
use crate::bindings::keyhole::strategy::diagnostics;
use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::name;

/// The implementation that `bindings` exports.
pub(crate) struct Wrong;

impl Guest for Wrong {
    fn page(request: PageRequest) -> Result<Vec<Event>, Error> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| panic::set_hook(Box::new(note)));

        let name = name::read();
        match behaviours::find(&name) {
            Some(page) => page(&request),
            None => Err(Error::Other(format!("no behaviour is named {name}"))),
        }
    }
}

fn note(info: &PanicHookInfo<'_>) {
    diagnostics::note(&info.to_string());
}

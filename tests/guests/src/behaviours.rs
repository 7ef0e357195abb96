//! One file for each behaviour; each answers honestly where its lie has no place.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};

type Page = fn(&PageRequest) -> Result<Vec<Event>, Error>;

/// A module for each behaviour, and the behaviour by name.
macro_rules! behaviours {
    ($($name:literal $module:ident,)*) => {
        $(mod $module;)*

        /// The behaviour of that name.
        pub(crate) fn find(name: &str) -> Option<Page> {
            match name {
                $($name => Some($module::page),)*
                _ => None,
            }
        }
    };
}

behaviours! {
    "dropped-event" dropped_event,
    "early-end" early_end,
    "handle-of-other-call" handle_of_other_call,
    "hold-the-log" hold_the_log,
    "honest" honest,
    "invented-id" invented_id,
    "next-page-instead" next_page_instead,
    "one-too-many" one_too_many,
    "outside-window" outside_window,
    "repeated-event" repeated_event,
    "spin-in-page" spin_in_page,
    "stale-page" stale_page,
    "swapped-neighbours" swapped_neighbours,
    "trap-in-mid-page" trap_in_mid_page,
    "wrong-action" wrong_action,
    "wrong-actor" wrong_actor,
    "wrong-tie-order" wrong_tie_order,
}

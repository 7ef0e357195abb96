//! The export.

use crate::bindings::exports::keyhole::boundary::tasks::Guest;
use crate::bindings::keyhole::boundary::rows::{self, Event, Row};
use crate::packed::sum_of_ids;

/// The implementation that `bindings` exports.
pub(crate) struct Tasks;

impl Guest for Tasks {
    fn nothing() -> i64 {
        0
    }

    fn read_records(count: u32) -> i64 {
        rows::records(count).iter().map(|row| row.id).sum()
    }

    fn read_numbers(count: u32) -> i64 {
        rows::number_records(count).iter().map(|row| row.id).sum()
    }

    fn read_packed(count: u32) -> i64 {
        sum_of_ids(&rows::packed(count))
    }

    fn read_handles(count: u32) -> i64 {
        rows::handles(count).iter().map(Event::id).sum()
    }

    fn read_fields(count: u32) -> i64 {
        let fields = |event: &Event| Row {
            id: event.id(),
            created_at: event.created_at(),
            actor_id: event.actor_id(),
            action: event.action(),
            resource_type: event.resource_type(),
            resource_id: event.resource_id(),
        };
        rows::handles(count).iter().map(|event| fields(event).id).sum()
    }

    fn return_handles(count: u32) -> Vec<Event> {
        rows::handles(count)
    }
}

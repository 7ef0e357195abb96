//! What a page is, in the plainest words: filter, sort, skip, take.

use guest_keyset::{Key, PageRequest, Position};

/// The actions that requests name; events are of the first two.
pub(crate) const ACTIONS: [&str; 3] = ["LOGIN", "UPDATE", "DELETE"];

/// An event; its id is its place in the log, from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) created_at: i64,
    pub(crate) actor_id: i64,
    pub(crate) action: &'static str,
}

/// The ids of a page.
pub(crate) fn page(events: &[Event], request: &PageRequest<'_>) -> Vec<i64> {
    let filter = &request.filter;
    let matching = (1..).zip(events).filter(|(id, event)| {
        filter.from_ts <= event.created_at
            && event.created_at <= filter.to_ts
            && filter.actor_id.is_none_or(|actor| actor == event.actor_id)
            && filter.action.is_none_or(|action| action == event.action)
            && request.up_to.is_none_or(|up_to| *id <= up_to)
    });
    let mut keys: Vec<Key> = matching.map(|(id, event)| Key { created_at: event.created_at, id }).collect();
    keys.sort_unstable();
    keys.reverse();
    let skipped = match request.position {
        Position::After(cursor) => {
            keys.retain(|key| *key < cursor);
            0
        }
        Position::Page(page) => u128::from(page - 1) * u128::from(request.page_size),
    };
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    keys.iter().skip(skipped).take(request.page_size as usize).map(|key| key.id).collect()
}

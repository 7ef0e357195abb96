//! What a page is, in the plainest words: sort, filter, skip, take.

use crate::{Key, PageRequest, Position};

pub(super) const ACTIONS: [&str; 3] = ["LOGIN", "UPDATE", "DELETE"];

#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) created_at: i64,
    pub(super) actor_id: i64,
    pub(super) action: &'static str,
}

/// The ids of a page over these events, whose ids are 1, 2, 3, …
pub(super) fn page(events: &[Event], request: &PageRequest<'_>) -> Vec<i64> {
    let filter = &request.filter;
    let mut keys: Vec<Key> = (1..)
        .zip(events)
        .filter(|(id, event)| {
            filter.from_ts <= event.created_at
                && event.created_at <= filter.to_ts
                && filter.actor_id.is_none_or(|actor| actor == event.actor_id)
                && filter.action.is_none_or(|action| action == event.action)
                && request.up_to.is_none_or(|up_to| *id <= up_to)
        })
        .map(|(id, event)| Key { created_at: event.created_at, id })
        .collect();
    keys.sort();
    keys.reverse();
    if let Position::After(cursor) = request.position {
        keys.retain(|key| *key < cursor);
    }
    let size = request.page_size as usize;
    let skipped = match request.position {
        Position::Page(page) => u128::from(page - 1) * size as u128,
        Position::After(_) => 0,
    };
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    keys.iter().skip(skipped).take(size).map(|key| key.id).collect()
}

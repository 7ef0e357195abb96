//! The honest answer as keys, which the behaviours then falsify.

use crate::bindings::keyhole::strategy::log::{self, Event};
use crate::bindings::keyhole::strategy::types::{Error, Key, PageRequest, Position, Value};

/// The events of a request, or more than those: a statement that grows by conditions.
pub(crate) struct Search {
    conditions: Vec<&'static str>,
    params: Vec<Value>,
}

impl Search {
    /// Everything that matches the request's filter and `up-to`, whatever its position.
    pub(crate) fn of(request: &PageRequest) -> Self {
        Self::everything(request).in_window(request).of_actor(request).of_action(request)
    }

    /// Every event that exists for the request.
    pub(crate) fn everything(request: &PageRequest) -> Self {
        let search = Self { conditions: Vec::new(), params: Vec::new() };
        search.with("id <= ?", [integer(request.up_to.unwrap_or(i64::MAX))])
    }

    pub(crate) fn in_window(self, request: &PageRequest) -> Self {
        let filter = &request.filter;
        self.with("created_at >= ? AND created_at <= ?", [integer(filter.from_ts), integer(filter.to_ts)])
    }

    pub(crate) fn of_actor(self, request: &PageRequest) -> Self {
        match request.filter.actor_id {
            Some(actor_id) => self.with("actor_id = ?", [integer(actor_id)]),
            None => self,
        }
    }

    pub(crate) fn of_action(self, request: &PageRequest) -> Self {
        match &request.filter.action {
            Some(action) => self.with("action = ?", [Value::Text(action.clone())]),
            None => self,
        }
    }

    pub(crate) fn after(self, key: Key) -> Self {
        self.with("(created_at, id) < (?, ?)", [integer(key.created_at), integer(key.id)])
    }

    /// One more condition and its parameters.
    pub(crate) fn with<const N: usize>(mut self, condition: &'static str, params: [Value; N]) -> Self {
        self.conditions.push(condition);
        self.params.extend(params);
        self
    }

    /// The keys of at most `limit` events in the log's order, without the first `offset`.
    pub(crate) fn keys(mut self, limit: u64, offset: u64) -> Result<Vec<Key>, Error> {
        let sql = format!(
            "SELECT created_at, id FROM audit_events WHERE {} \
             ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
            self.conditions.join(" AND ")
        );
        let clamped = [limit, offset].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        self.params.extend(clamped.map(Value::Integer));
        let rows = log::query(&sql, &self.params)?;
        let keys = rows.cells.chunks_exact(2).filter_map(|cells| match cells {
            [Value::Integer(created_at), Value::Integer(id)] => {
                Some(Key { created_at: *created_at, id: *id })
            }
            _ => None,
        });
        Ok(keys.collect())
    }
}

/// The keys of the request's page, and of up to `more` events behind it.
pub(crate) fn page_keys(request: &PageRequest, more: u32) -> Result<Vec<Key>, Error> {
    let size = u64::from(request.page_size);
    let limit = size + u64::from(more);
    match request.position {
        Position::Page(page) => Search::of(request).keys(limit, page.saturating_sub(1).saturating_mul(size)),
        Position::After(key) => Search::of(request).after(key).keys(limit, 0),
    }
}

/// A handle for each key.
pub(crate) fn fetch(keys: &[Key]) -> Result<Vec<Event>, Error> {
    log::fetch(&keys.iter().map(|key| key.id).collect::<Vec<_>>())
}

pub(crate) fn integer(number: i64) -> Value {
    Value::Integer(number)
}

/// One window in 100,000, by the second on which it begins.
pub(crate) fn is_the_one_window(request: &PageRequest) -> bool {
    request.filter.from_ts.rem_euclid(100_000) == 77_777
}

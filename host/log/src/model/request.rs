//! What a client asks: filter, position, size.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::key::Key;

/// Which events a request asks for. A question, not an access scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    /// First second of the window, inclusive.
    pub from_ts: i64,
    /// Last second of the window, inclusive; the window is empty where it lies before `from_ts`.
    pub to_ts: i64,
    /// Only this actor's events.
    pub actor_id: Option<i64>,
    /// Only events of this action, equal byte for byte.
    pub action: Option<String>,
}

impl Filter {
    /// Whether an event with these columns answers the question.
    pub fn matches(&self, created_at: i64, actor_id: i64, action: &str) -> bool {
        self.from_ts <= created_at
            && created_at <= self.to_ts
            && self.actor_id.is_none_or(|actor| actor == actor_id)
            && self.action.as_deref().is_none_or(|wanted| wanted == action)
    }
}

/// Where a page starts among the events that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Position {
    /// Page n, from 1.
    Page(u64),
    /// The events after this key in the log's order.
    After(Key),
}

/// One page request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// Which events.
    pub filter: Filter,
    /// Where the page starts.
    pub position: Position,
    /// How many events at most; at least 1.
    pub page_size: u32,
    /// The largest id that may appear. None: all of the snapshot.
    pub up_to: Option<i64>,
}

impl PageRequest {
    /// How many matching events lie before the page: saturates, since a page past the end is empty.
    /// None where the position is a key.
    pub fn skipped(&self) -> Option<u64> {
        match self.position {
            Position::Page(page) => Some(page.saturating_sub(1).saturating_mul(u64::from(self.page_size))),
            Position::After(_) => None,
        }
    }
}

/// The contract's `query` object. A position after a key is written as `after_key`, and a bound as
/// `up_to`: both are accepted back, so that any request that a report prints can be repeated.
impl Serialize for PageRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("from_ts", &self.filter.from_ts)?;
        map.serialize_entry("to_ts", &self.filter.to_ts)?;
        map.serialize_entry("actor_id", &self.filter.actor_id)?;
        map.serialize_entry("action", &self.filter.action)?;
        match self.position {
            Position::Page(page) => map.serialize_entry("page", &page)?,
            Position::After(key) => map.serialize_entry("after_key", &[key.created_at, key.id])?,
        }
        map.serialize_entry("page_size", &self.page_size)?;
        if let Some(up_to) = self.up_to {
            map.serialize_entry("up_to", &up_to)?;
        }
        map.end()
    }
}

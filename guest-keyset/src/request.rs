//! What is asked.

/// An event's place in the log's one order: `created_at` descending, then `id` descending.
///
/// The derived ordering is ascending; the log's order is its reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Unix seconds.
    pub created_at: i64,
    /// The event's number.
    pub id: i64,
}

impl Key {
    /// The least key there can be.
    pub const MIN: Self = Self { created_at: i64::MIN, id: i64::MIN };

    /// The greatest key there can be.
    pub const MAX: Self = Self { created_at: i64::MAX, id: i64::MAX };

    /// The greatest key that is less than this one. None for [`Key::MIN`].
    pub(crate) fn before(self) -> Option<Self> {
        match self.id.checked_sub(1) {
            Some(id) => Some(Self { id, ..self }),
            None => Some(Self { created_at: self.created_at.checked_sub(1)?, id: i64::MAX }),
        }
    }

    /// The least key that is greater than this one. None for [`Key::MAX`].
    pub(crate) fn after(self) -> Option<Self> {
        match self.id.checked_add(1) {
            Some(id) => Some(Self { id, ..self }),
            None => Some(Self { created_at: self.created_at.checked_add(1)?, id: i64::MIN }),
        }
    }
}

/// Which events a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter<'a> {
    /// First second of the window, inclusive.
    pub from_ts: i64,
    /// Last second of the window, inclusive; the window is empty where it lies before `from_ts`.
    pub to_ts: i64,
    /// Only this actor's events.
    pub actor_id: Option<i64>,
    /// Only events of this action, equal byte for byte.
    pub action: Option<&'a str>,
}

/// Where a page starts among the events that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Page n, from 1.
    Page(u64),
    /// The events after this key in the log's order.
    After(Key),
}

/// One page request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest<'a> {
    /// Which events.
    pub filter: Filter<'a>,
    /// Where the page starts.
    pub position: Position,
    /// How many events at most; at least 1.
    pub page_size: u32,
    /// The largest id that may appear. None: all of the snapshot.
    pub up_to: Option<i64>,
}

impl PageRequest<'_> {
    /// How many matching events lie before the page: saturates, since a page past the end is empty.
    /// 0 after a key, which narrows the range instead.
    pub(crate) fn skipped(&self) -> u64 {
        match self.position {
            Position::Page(page) => page.saturating_sub(1).saturating_mul(u64::from(self.page_size)),
            Position::After(_) => 0,
        }
    }
}

//! The keys between two keys.

use crate::host::Param;
use crate::request::{Key, PageRequest, Position};

/// Keys from `low` to `high`, both inclusive; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) low: Key,
    pub(crate) high: Key,
}

impl KeyRange {
    /// Every key there can be.
    pub(crate) const ALL: Self = Self { low: Key::MIN, high: Key::MAX };

    /// Where a request's events can lie: its window, cut off at its cursor. None: nowhere.
    pub(crate) fn of(request: &PageRequest<'_>) -> Option<Self> {
        let low = Key { created_at: request.filter.from_ts, id: i64::MIN };
        let window_end = Key { created_at: request.filter.to_ts, id: i64::MAX };
        let high = match request.position {
            Position::Page(_) => window_end,
            Position::After(cursor) => window_end.min(cursor.before()?),
        };
        (low <= high).then_some(Self { low, high })
    }

    /// The part of the range that lies above a key. None where there is none.
    pub(crate) fn above(&self, key: Key) -> Option<Self> {
        let low = key.after()?.max(self.low);
        (low <= self.high).then_some(Self { low, ..*self })
    }

    /// The four parameters of `(created_at, id) BETWEEN (?, ?) AND (?, ?)`.
    pub(crate) fn params(&self) -> [Param<'static>; 4] {
        [
            Param::Integer(self.low.created_at),
            Param::Integer(self.low.id),
            Param::Integer(self.high.created_at),
            Param::Integer(self.high.id),
        ]
    }
}

//! An event's place in the order.

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
    /// The key of no event, next to this one's in the order: whatever follows it begins with this one's event.
    #[must_use]
    pub fn just_before(self) -> Self {
        match (self.id.checked_add(1), self.created_at.checked_add(1)) {
            (Some(id), _) => Self { id, ..self },
            (None, Some(created_at)) => Self { created_at, id: i64::MIN },
            (None, None) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_key_before_an_event_begins_with_that_event() {
        let keys = [(5, 7), (5, 0), (5, i64::MAX), (i64::MIN, i64::MIN), (i64::MAX, 3)];
        for event in keys.map(|(created_at, id)| Key { created_at, id }) {
            let before = event.just_before();
            let newer = Key { id: event.id.saturating_add(1), ..event };
            assert!(event < before, "{event:?} follows {before:?}");
            assert!(newer >= before || newer == event, "and nothing newer does");
        }
    }
}

//! How many events there are of each actor, of each action and of both: what a deep page of a filter needs.

use std::collections::BTreeMap;

use crate::Log;
use crate::error::Error;
use crate::feed::Feeder;

/// Pairs of actor and action that are told apart; events of further ones are not counted.
const MOST_PAIRS: usize = 200_000;

/// Events of each actor and of each action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    pairs: BTreeMap<i64, BTreeMap<String, u64>>,
}

impl Census {
    /// Counts a log's events, in short read transactions.
    pub fn of(log: &Log) -> Result<Self, Error> {
        let mut census = Self::default();
        let mut told = 0;
        Feeder::open(log)?.each_subject(|actor, action| told += census.count(actor, action, told))?;
        Ok(census)
    }

    /// Counts one event; 1 if its pair is new.
    fn count(&mut self, actor: i64, action: &str, told: usize) -> usize {
        let actions = self.pairs.get_mut(&actor);
        if let Some(count) = actions.and_then(|actions| actions.get_mut(action)) {
            *count += 1;
            return 0;
        }
        if told >= MOST_PAIRS {
            return 0;
        }
        self.pairs.entry(actor).or_default().insert(action.to_owned(), 1);
        1
    }

    /// Every actor with the number of their events.
    pub fn actors(&self) -> impl Iterator<Item = (i64, u64)> {
        self.pairs.iter().map(|(actor, actions)| (*actor, actions.values().sum()))
    }

    /// Every action with the number of its events.
    pub fn actions(&self) -> BTreeMap<&str, u64> {
        let mut all = BTreeMap::new();
        for (_, action, events) in self.both() {
            *all.entry(action).or_default() += events;
        }
        all
    }

    /// Every actor and action with the number of their events.
    pub fn both(&self) -> impl Iterator<Item = (i64, &str, u64)> {
        self.pairs.iter().flat_map(|(actor, actions)| {
            actions.iter().map(|(action, events)| (*actor, action.as_str(), *events))
        })
    }
}

/// For tests of what is drawn from a census.
impl<'a> FromIterator<(i64, &'a str)> for Census {
    fn from_iter<I: IntoIterator<Item = (i64, &'a str)>>(events: I) -> Self {
        let mut census = Self::default();
        for (actor, action) in events {
            census.count(actor, action, 0);
        }
        census
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_counted_under_its_actor_its_action_and_both() {
        let census: Census = [(1, "a"), (2, "a"), (1, "b"), (1, "a")].into_iter().collect();
        assert_eq!(census.actors().collect::<Vec<_>>(), [(1, 3), (2, 1)]);
        assert_eq!(census.actions().into_iter().collect::<Vec<_>>(), [("a", 3), ("b", 1)]);
        assert_eq!(census.both().collect::<Vec<_>>(), [(1, "a", 2), (1, "b", 1), (2, "a", 1)]);
    }
}

//! Streams of page requests: the contract's own, and one whose pages are all full.

pub mod edges;
pub mod sweeps;

pub use edges::edges;
use keyhole_log::dataset::generator::{self, ACTORS, SPAN};
use keyhole_log::dataset::random::Random;
use keyhole_log::model::{Filter, PageRequest, Position};
use keyhole_log::survey::profile::Profile;

/// The page sizes that the contract draws from.
pub const PAGE_SIZES: [u32; 3] = [10, 20, 50];

const WEEK: i64 = 7 * 24 * 3600;

/// Page requests in a fixed order: the same log, seed and count make the same stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// `contract`, `dense` or `edges`.
    pub name: &'static str,
    /// The requests in order.
    pub requests: Vec<PageRequest>,
}

/// The contract's query stream: the seven days up to `now`, any page up to 2000. Seed 1337 makes
/// the contract's own.
///
/// On another log than the contract's, `now` is the newest event, the actors are the log's, and so
/// are the actions: its first three.
pub fn contract(profile: &Profile, seed: u64, count: usize) -> Stream {
    let mut random = Random::new(seed);
    let now = profile.contract_now.unwrap_or(profile.newest);
    let actions = contract_actions(profile);
    let requests = (0..count).map(|_| {
        let actor = match (profile.contract_now, profile.actors.as_slice()) {
            (None, actors @ [_, ..]) => *random.choice(actors),
            _ => random.randint(1, ACTORS),
        };
        PageRequest {
            filter: Filter {
                from_ts: now.saturating_sub(WEEK),
                to_ts: now,
                actor_id: *random.choice(&[None, Some(actor)]),
                action: random.choice(&actions).map(str::to_owned),
            },
            position: Position::Page(random.below(2000) + 1),
            page_size: *random.choice(&PAGE_SIZES),
            up_to: None,
        }
    });
    Stream { name: "contract", requests: requests.collect() }
}

fn contract_actions(profile: &Profile) -> Vec<Option<&str>> {
    if profile.contract_now.is_some() {
        vec![None, Some("UPDATE"), Some("CREATE"), Some("DELETE")]
    } else {
        let own = profile.actions.iter().take(3).map(|action| Some(action.as_str()));
        std::iter::once(None).chain(own).collect()
    }
}

/// Pages of the whole log, each of them full, in the contract's three sizes.
///
/// On the contract's data set half the requests name an action; on any other log none does, since
/// nothing is known of how its actions are spread. Sizes that the log cannot fill a page of are left
/// out: a log of fewer than ten events has no stream, and no request is made.
pub fn dense(profile: &Profile, seed: u64, count: usize) -> Stream {
    dense_pages(profile, seed, count, &PAGE_SIZES)
}

/// As [`dense`], with pages of one size only.
pub fn dense_pages_of(profile: &Profile, seed: u64, count: usize, page_size: u32) -> Stream {
    dense_pages(profile, seed, count, &[page_size])
}

fn dense_pages(profile: &Profile, seed: u64, count: usize, sizes: &[u32]) -> Stream {
    let mut random = Random::new(seed);
    let fits = |events: u64| -> Vec<u32> {
        sizes.iter().copied().filter(|&size| size > 0 && u64::from(size) <= events).collect()
    };
    let of_an_action = events_of_each_action(profile);
    let (sizes, action_sizes) = (fits(profile.rows), fits(of_an_action));
    let count = if sizes.is_empty() { 0 } else { count };
    let requests = (0..count).map(|_| {
        let by_action = !action_sizes.is_empty() && random.below(2) == 1;
        let action = by_action.then(|| (*random.choice(&generator::ACTIONS)).to_owned());
        let page_size = *random.choice(if by_action { &action_sizes } else { &sizes });
        let events = if by_action { of_an_action } else { profile.rows };
        PageRequest {
            filter: Filter { from_ts: profile.oldest, to_ts: profile.newest, actor_id: None, action },
            position: Position::Page(random.below(events / u64::from(page_size)) + 1),
            page_size,
            up_to: None,
        }
    });
    Stream { name: "dense", requests: requests.collect() }
}

/// How many events there are of each action at the least; 0 where that is not known.
///
/// A count of n rows is n/6 with a deviation of √(5n)/6. Six deviations below, all six actions have
/// that many: at 50,000 rows 7,832, where the rarest has 8,187.
fn events_of_each_action(profile: &Profile) -> u64 {
    let is_data_set = profile
        .contract_now
        .is_some_and(|now| profile.newest <= now && profile.oldest >= now.saturating_sub(SPAN))
        && profile.actions.len() == generator::ACTIONS.len()
        && profile.actions.iter().all(|action| generator::ACTIONS.contains(&action.as_str()));
    if is_data_set {
        (profile.rows / 6).saturating_sub(profile.rows.saturating_mul(5).isqrt() + 1)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use keyhole_log::dataset::generator::{Dataset, NOW, SEED};
    use std::collections::HashMap;

    const PAGES: &str = include_str!("../../../../tests/data/pages.jsonl");

    fn contract_log(rows: u64) -> Profile {
        Profile {
            rows,
            high_water: i64::try_from(rows).unwrap(),
            oldest: NOW - SPAN,
            newest: NOW,
            contract_now: Some(NOW),
            actors: (1..=ACTORS).collect(),
            actions: generator::ACTIONS.map(str::to_owned).to_vec(),
            ties: Vec::new(),
        }
    }

    fn foreign_log() -> Profile {
        Profile {
            rows: 30,
            high_water: 40,
            oldest: 1_000,
            newest: 2_000,
            contract_now: None,
            actors: vec![-7, 70_000],
            actions: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            ties: Vec::new(),
        }
    }

    #[test]
    fn the_contract_stream_is_the_one_that_the_live_system_answered() {
        let answered: Vec<serde_json::Value> = PAGES
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| line["mix"] == "contract")
            .map(|mut line| line["query"].take())
            .collect();
        assert_eq!(answered.len(), 600);
        let stream = contract(&contract_log(50_000), SEED, 600);
        let drawn: Vec<_> =
            stream.requests.iter().map(|request| serde_json::to_value(request).unwrap()).collect();
        assert_eq!(drawn, answered);
    }

    #[test]
    fn the_contract_stream_of_another_log_asks_for_what_that_log_holds() {
        let log = foreign_log();
        let stream = contract(&log, SEED, 500);
        let mut actions: Vec<_> = stream.requests.iter().map(|r| r.filter.action.clone()).collect();
        actions.sort();
        actions.dedup();
        assert_eq!(actions, [None, Some("a".into()), Some("b".into()), Some("c".into())]);
        for request in &stream.requests {
            assert_eq!((request.filter.from_ts, request.filter.to_ts), (2_000 - WEEK, 2_000));
            assert!(request.filter.actor_id.is_none_or(|actor| log.actors.contains(&actor)));
        }
    }

    #[test]
    fn an_empty_log_has_a_contract_stream_and_no_dense_one() {
        assert_eq!(contract(&Profile::default(), SEED, 50).requests.len(), 50);
        assert!(dense(&Profile::default(), SEED, 50).requests.is_empty());
    }

    /// Counts what the data set holds and asks whether each page can be full.
    fn assert_full(log: &Profile, stream: &Stream) {
        let mut dataset = Dataset::new(NOW, true);
        let mut payloads = Vec::new();
        let mut counts: HashMap<String, u64> = HashMap::new();
        for _ in 0..log.rows {
            payloads.clear();
            let row = dataset.next_row(&mut payloads);
            *counts.entry(row.action.to_owned()).or_default() += 1;
        }
        for request in &stream.requests {
            let end = request.skipped().unwrap() + u64::from(request.page_size);
            let events = request.filter.action.as_ref().map_or(log.rows, |action| counts[action]);
            assert!(end <= events, "{request:?} of {events}");
        }
    }

    #[test]
    fn every_dense_page_is_full() {
        for rows in [10, 49, 181, 300, 1_000, 7_000, 50_000, 200_000] {
            let log = contract_log(rows);
            let stream = dense(&log, 42, 3_000);
            assert_eq!(stream.requests.len(), 3_000, "{rows}");
            assert_full(&log, &stream);
        }
    }

    #[test]
    fn dense_pages_reach_the_end_of_the_log_and_name_actions() {
        let requests = dense(&contract_log(50_000), 42, 2_000).requests;
        let whole = |r: &&PageRequest| r.filter.action.is_none();
        let deepest = requests.iter().filter(whole).map(|r| r.skipped().unwrap()).max().unwrap();
        assert!(deepest > 49_000, "{deepest}");
        let by_action = requests.iter().filter(|r| r.filter.action.is_some());
        assert!((900..1100).contains(&by_action.count()));
    }

    #[test]
    fn dense_pages_of_one_size_have_that_size() {
        let log = contract_log(50_000);
        let stream = dense_pages_of(&log, 42, 1_000, 50);
        assert_eq!(stream.requests.len(), 1_000);
        assert!(stream.requests.iter().all(|request| request.page_size == 50));
        assert_full(&log, &stream);
        assert!(dense_pages_of(&contract_log(49), 42, 10, 50).requests.is_empty());
        assert!(dense_pages_of(&log, 42, 10, 0).requests.is_empty());
    }

    #[test]
    fn a_log_that_is_not_only_the_data_set_gets_no_dense_pages_by_action() {
        let appended = Profile { newest: NOW + 1, ..contract_log(50_000) };
        for log in [foreign_log(), appended] {
            let stream = dense(&log, 42, 500);
            assert_eq!(stream.requests.len(), 500);
            for request in stream.requests {
                assert_eq!(request.filter.action, None);
                assert!(request.skipped().unwrap() + u64::from(request.page_size) <= log.rows);
            }
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_stream() {
        let log = contract_log(50_000);
        assert_eq!(dense(&log, 1, 100), dense(&log, 1, 100));
        assert_ne!(dense(&log, 1, 100), dense(&log, 2, 100));
        assert_ne!(contract(&log, 1, 100), contract(&log, 2, 100));
    }
}

use super::*;
use keyhole_log::dataset::generator::NOW;

fn log() -> Profile {
    Profile {
        rows: 50_000,
        high_water: 50_000,
        oldest: NOW - 2_592_000,
        newest: NOW - 1,
        contract_now: Some(NOW),
        actors: (1..=2000).collect(),
        actions: ACTIONS_OF_LOG.map(str::to_owned).to_vec(),
        ties: vec![NOW - 100_000, NOW - 50],
    }
}

const ACTIONS_OF_LOG: [&str; 3] = ["CREATE", "DELETE", "LOGIN"];

fn odd_logs() -> Vec<Profile> {
    let extreme = Profile {
        rows: u64::MAX,
        high_water: i64::MAX,
        oldest: i64::MIN,
        newest: i64::MAX,
        actors: vec![i64::MIN, i64::MAX],
        actions: vec![String::new()],
        ties: vec![i64::MIN, i64::MAX],
        ..Profile::default()
    };
    let negative = Profile { rows: 1, high_water: -1, oldest: -1, newest: -1, ..Profile::default() };
    vec![log(), Profile::default(), extreme, negative]
}

#[test]
fn every_request_is_one_that_a_client_may_send() {
    for profile in odd_logs() {
        let requests = edges(&profile, 7, 5_000).requests;
        assert_eq!(requests.len(), 5_000);
        for request in requests {
            assert!((1..=1000).contains(&request.page_size), "{request:?}");
            assert_ne!(request.position, Position::Page(0));
            assert!(!request.filter.action.is_some_and(|action| action.contains('\0')));
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_stream_and_the_fixed_list_comes_first() {
    let (one, same) = (edges(&log(), 1, 2_000), edges(&log(), 1, 2_000));
    assert_eq!(one, same);
    let fixed = Parts::of(&log()).fixed();
    let other = edges(&log(), 2, 2_000);
    assert_eq!(one.requests[..fixed.len()], fixed);
    assert_eq!(other.requests[..fixed.len()], fixed);
    assert_ne!(one, other);
    assert_eq!(edges(&log(), 1, 100).requests, fixed[..100]);
}

/// What a comparison of two strategies has to see at the least, as (what, does it).
type Edge = (&'static str, fn(&PageRequest) -> bool);

const EDGES: [Edge; 24] = [
    ("an inverted window", |r| r.filter.from_ts > r.filter.to_ts),
    ("one second", |r| r.filter.from_ts == r.filter.to_ts),
    ("all of time", |r| (r.filter.from_ts, r.filter.to_ts) == (i64::MIN, i64::MAX)),
    ("a tie, one event a page", |r| r.filter.to_ts == NOW - 50 && r.page_size == 1),
    ("the second page of a tie", |r| {
        r.filter.to_ts == NOW - 50 && r.position == Position::Page(2) && r.page_size == 1
    }),
    ("after a key of a tie", |r| matches!(r.position, Position::After(key) if key.created_at == NOW - 50)),
    ("the last page", |r| is_whole(r) && r.position == Position::Page(5_000) && r.page_size == 10),
    ("the page after it", |r| is_whole(r) && r.position == Position::Page(5_001) && r.page_size == 10),
    ("a last page that is not full", |r| {
        is_whole(r) && r.position == Position::Page(7_143) && r.page_size == 7
    }),
    ("page 2000", |r| r.position == Position::Page(2000)),
    ("the largest page", |r| r.position == Position::Page(u64::MAX)),
    ("an unknown actor", |r| r.filter.actor_id == Some(2001)),
    ("the smallest actor", |r| r.filter.actor_id == Some(i64::MIN)),
    ("an unknown action", |r| r.filter.action.as_deref() == Some("löschen")),
    ("an empty action", |r| r.filter.action.as_deref() == Some("")),
    ("a quote", |r| r.filter.action.as_deref() == Some("'")),
    ("a pattern", |r| r.filter.action.as_deref() == Some("CREATE%")),
    ("another case", |r| r.filter.action.as_deref() == Some("create")),
    ("actor and action", |r| r.filter.actor_id == Some(1001) && r.filter.action.is_some()),
    ("1000 a page", |r| r.page_size == 1000),
    ("no id at all", |r| r.up_to == Some(0)),
    ("a negative bound", |r| r.up_to == Some(-1)),
    ("a bound in the middle", |r| r.up_to == Some(25_000)),
    ("a bound beyond the end", |r| r.up_to == Some(50_001)),
];

fn is_whole(request: &PageRequest) -> bool {
    (request.filter.from_ts, request.filter.to_ts) == (log().oldest, log().newest)
}

#[test]
fn the_fixed_list_has_every_edge() {
    let fixed = Parts::of(&log()).fixed();
    for (what, is_it) in EDGES {
        assert!(fixed.iter().any(is_it), "{what}");
    }
}

#[test]
fn the_fixed_list_has_every_combination_of_filters() {
    let fixed = Parts::of(&log()).fixed();
    for choice in 0..16u8 {
        let chosen = |bit: u8| choice & bit != 0;
        let found = fixed.iter().any(|request| {
            request.filter.actor_id.is_some() == chosen(1)
                && request.filter.action.is_some() == chosen(2)
                && request.up_to.is_some() == chosen(4)
                && matches!(request.position, Position::After(_)) == chosen(8)
        });
        assert!(found, "{choice:04b}");
    }
}

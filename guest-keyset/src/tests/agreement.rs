//! Any events, refreshed at any time and to any point, asked anything: the model's answer.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::invariants;
use super::model::{self, ACTIONS, Event};
use super::sqlite::Sqlite;
use crate::{Filter, Key, PageRequest, Position};

/// Few seconds, so that ties and windows between them are common, and the ends of 64 bits.
fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![
        20 => 0..12_i64,
        1 => Just(i64::MIN),
        1 => Just(i64::MIN + 1),
        1 => Just(i64::MAX),
    ]
}

fn events(most: usize) -> impl Strategy<Value = Vec<Event>> {
    let event = (seconds(), 1..=2_i64, 0..2_usize).prop_map(|(created_at, actor_id, action)| Event {
        created_at,
        actor_id,
        action: ACTIONS[action],
    });
    vec(event, 0..most)
}

/// An append, and how many slices of a refresh follow it.
fn history() -> impl Strategy<Value = Vec<(Vec<Event>, usize)>> {
    (events(90), vec((events(25), 0..14_usize), 0..6)).prop_map(|(first, mut rest)| {
        rest.insert(0, (first, 14));
        rest
    })
}

fn position() -> impl Strategy<Value = Position> {
    let id = prop_oneof![8 => 0..150_i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    prop_oneof![
        10 => (1..40_u64).prop_map(Position::Page),
        1 => Just(Position::Page(u64::MAX)),
        1 => Just(Position::Page(u64::MAX / 2)),
        6 => (seconds(), id).prop_map(|(created_at, id)| Position::After(Key { created_at, id })),
    ]
}

fn request() -> impl Strategy<Value = PageRequest<'static>> {
    let window = prop_oneof![
        2 => Just((i64::MIN, i64::MAX)),
        3 => (seconds(), seconds()),
    ];
    let up_to = option::of(prop_oneof![9 => -1..160_i64, 1 => Just(i64::MAX)]);
    let filter = (window, option::of(0..=3_i64), option::of(0..ACTIONS.len()));
    (filter, position(), 1..=7_u32, up_to).prop_map(
        |(((from_ts, to_ts), actor_id, action), position, page_size, up_to)| PageRequest {
            filter: Filter { from_ts, to_ts, actor_id, action: action.map(|at| ACTIONS[at]) },
            position,
            page_size,
            up_to,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_page_is_the_models_page_at_every_moment_of_a_refresh(
        history in history(),
        requests in vec(request(), 1..12),
    ) {
        let mut sqlite = Sqlite::new();
        for (events, slices) in history {
            sqlite.append(&events);
            for _ in 0..slices {
                let progress = sqlite.refresh();
                if progress.covered > 0 {
                    invariants::check(&mut sqlite, progress.covered);
                }
                for request in &requests {
                    let expected = model::page(&sqlite.events, request);
                    prop_assert_eq!(sqlite.page(request), expected, "{:?} {:?}", request, progress);
                }
                if progress.done {
                    break;
                }
            }
            if slices == 0 {
                for request in &requests {
                    let expected = model::page(&sqlite.events, request);
                    prop_assert_eq!(sqlite.page(request), expected, "{:?}, nothing taken in", request);
                }
            }
        }
    }
}

//! Walks from the newest event to the oldest, over a log large enough for many levels.

use super::invariants;
use super::model::{self, ACTIONS, Event};
use super::sqlite::Sqlite;
use crate::{Filter, Key, PageRequest, Position};

/// Events all over 500 seconds, so that whatever comes later is a late arrival. Every other one shares
/// its second with the one before it.
fn events(count: u64, seed: u64) -> Vec<Event> {
    let mut state = seed;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut created_at = 0;
    (0..count)
        .map(|_| {
            if draw(2) == 0 {
                created_at = i64::try_from(draw(500)).unwrap();
            }
            Event {
                created_at,
                actor_id: i64::try_from(1 + draw(3)).unwrap(),
                action: ACTIONS[usize::try_from(draw(2)).unwrap()],
            }
        })
        .collect()
}

fn filled(seed: u64) -> Sqlite {
    let mut sqlite = Sqlite::new();
    sqlite.append(&events(900, seed));
    sqlite.refresh_until_done();
    sqlite
}

/// All of the log, its middle, and all but its newest second.
fn filters() -> Vec<Filter<'static>> {
    let mut filters = Vec::new();
    for (from_ts, to_ts) in [(i64::MIN, i64::MAX), (100, 399), (0, 498)] {
        for actor_id in [None, Some(2)] {
            for action in [None, Some(ACTIONS[1])] {
                filters.push(Filter { from_ts, to_ts, actor_id, action });
            }
        }
    }
    filters
}

fn request(filter: Filter<'_>, position: Position, up_to: Option<i64>) -> PageRequest<'_> {
    PageRequest { filter, position, page_size: 10, up_to }
}

/// Every event that matches, in one page.
fn everything(sqlite: &Sqlite, filter: Filter<'_>, up_to: Option<i64>) -> Vec<i64> {
    let all = PageRequest { page_size: u32::MAX, ..request(filter, Position::Page(1), up_to) };
    model::page(&sqlite.events, &all)
}

fn walk_by_page(sqlite: &mut Sqlite, filter: Filter<'_>, up_to: Option<i64>) -> Vec<i64> {
    let mut walked = Vec::new();
    for number in 1.. {
        let page = sqlite.page(&request(filter, Position::Page(number), up_to));
        if page.is_empty() {
            break;
        }
        walked.extend(page);
    }
    walked
}

fn walk_by_cursor(sqlite: &mut Sqlite, filter: Filter<'_>, up_to: Option<i64>) -> Vec<i64> {
    let mut walked = Vec::new();
    let mut position = Position::Page(1);
    loop {
        let page = sqlite.page(&request(filter, position, up_to));
        let Some(&id) = page.last() else {
            return walked;
        };
        let created_at = sqlite.events[usize::try_from(id - 1).unwrap()].created_at;
        position = Position::After(Key { created_at, id });
        walked.extend(page);
    }
}

fn assert_walks_agree(sqlite: &mut Sqlite, up_to: Option<i64>) {
    for filter in filters() {
        let expected = everything(sqlite, filter, up_to);
        assert!(!expected.is_empty());
        assert_eq!(walk_by_page(sqlite, filter, up_to), expected, "{filter:?}");
        assert_eq!(walk_by_cursor(sqlite, filter, up_to), expected, "{filter:?}");
    }
}

#[test]
fn walks_meet_every_event_once() {
    assert_walks_agree(&mut filled(1), None);
}

#[test]
fn walks_meet_the_tail_where_it_belongs() {
    let mut sqlite = filled(2);
    sqlite.append(&events(150, 3));
    assert_walks_agree(&mut sqlite, None);
    assert_walks_agree(&mut sqlite, Some(1_000));
}

#[test]
fn a_walk_sees_the_log_it_began_with_however_much_is_taken_in_meanwhile() {
    let mut sqlite = filled(4);
    sqlite.append(&events(2_000, 5));
    sqlite.refresh_until_done();
    sqlite.append(&events(20, 6));
    assert_walks_agree(&mut sqlite, Some(900));
}

#[test]
fn late_arrivals_keep_the_buckets_whole() {
    let mut sqlite = filled(7);
    sqlite.append(&events(700, 8));
    loop {
        let progress = sqlite.refresh();
        invariants::check(&mut sqlite, progress.covered);
        if progress.done {
            break;
        }
    }
    assert_walks_agree(&mut sqlite, None);
}

#[test]
fn an_ordinary_append_at_the_newest_end_keeps_the_buckets_whole() {
    let mut sqlite = Sqlite::new();
    for created_at in 0..400 {
        sqlite.append(&[Event { created_at, actor_id: 2, action: ACTIONS[1] }]);
        if created_at % 5 == 0 {
            sqlite.refresh_until_done();
        }
    }
    sqlite.refresh_until_done();
    invariants::check(&mut sqlite, 400);
    assert_walks_agree(&mut sqlite, None);
}

#[test]
fn a_page_past_the_end_takes_one_look_up() {
    let mut sqlite = filled(9);
    for filter in filters() {
        let past = request(filter, Position::Page(1_000), None);
        assert!(sqlite.page(&past).is_empty());
        assert_eq!(sqlite.calls, 1);
    }
    let nobody = Filter { actor_id: Some(77), ..filters()[0] };
    assert!(sqlite.page(&request(nobody, Position::Page(1), None)).is_empty());
    assert_eq!(sqlite.calls, 1);
}

#[test]
fn a_page_after_a_cursor_takes_two_look_ups() {
    let mut sqlite = filled(10);
    let after = Position::After(Key { created_at: 250, id: 0 });
    assert_eq!(sqlite.page(&request(filters()[0], after, None)).len(), 10);
    assert_eq!(sqlite.calls, 2);
}

//! `page` with one request: its options, and when a page has a next one.

use super::with_log;
use crate::support::Place;
use crate::support::answers::{Answer, pages};

const STRATEGIES: [&str; 4] = ["baseline", "keyset", "native-baseline", "native-keyset"];

#[test]
fn a_page_has_a_next_one_if_and_only_if_it_is_full() {
    let (place, log) = with_log();
    for strategy in STRATEGIES {
        // 2,000 events: the last page of 500 is full all the same, the last of 300 is not.
        for (page, size, count) in [(1, 500, 500), (4, 500, 500), (5, 500, 0), (7, 300, 200), (8, 300, 0)] {
            let answer = one(&place, &log, &format!("{strategy} --page {page} --page-size {size}"));
            assert_eq!(answer.count, count, "{strategy} page {page} of {size}");
            assert_eq!(answer.ids.len() as u64, count);
            assert_eq!(answer.next.is_some(), count == size, "{strategy} page {page} of {size}");
        }
    }
}

#[test]
fn a_page_far_past_the_end_is_empty_and_no_error() {
    let (place, log) = with_log();
    for strategy in STRATEGIES {
        for page in [2_000_u64, u64::from(u32::MAX) + 1, i64::MAX as u64, u64::MAX] {
            let answer = one(&place, &log, &format!("{strategy} --page {page}"));
            assert_eq!((answer.count, answer.next), (0, None), "{strategy} page {page}");
            assert_eq!(answer.query["page"], page);
        }
    }
}

#[test]
fn times_are_taken_as_seconds_and_as_rfc_3339() {
    let (place, log) = with_log();
    let seconds = one(&place, &log, "keyset --from 1767000060 --to 1767000120");
    assert!(seconds.count > 0);
    for (from, to) in [
        ("2025-12-29T09:21:00Z", "2025-12-29T09:22:00Z"),
        ("2025-12-29T10:21:00+01:00", "2025-12-29T00:22:00-09:00"),
        ("2025-12-29T09:21:00.000Z", "1767000120"),
    ] {
        assert_eq!(one(&place, &log, &format!("keyset --from {from} --to {to}")), seconds, "{from} to {to}");
    }
    let negative = one(&place, &log, "keyset --from -5 --to -1");
    assert_eq!((negative.count, &negative.query["from_ts"]), (0, &(-5).into()));
}

#[test]
fn what_is_not_said_means_everything() {
    let (place, log) = with_log();
    let answer = one(&place, &log, "keyset");
    let expected = serde_json::json!({
        "from_ts": i64::MIN, "to_ts": i64::MAX, "actor_id": null, "action": null, "page": 1, "page_size": 50,
    });
    assert_eq!(answer.query, expected);
    assert_eq!(answer.count, 50);
}

#[test]
fn how_long_an_instance_lives_does_not_change_an_answer() {
    let (place, log) = with_log();
    let queries = place.path("queries.jsonl");
    let line = |page| {
        format!(r#"{{"from_ts": 0, "to_ts": 2000000000, "action": "LOGIN", "page": {page}, "page_size": 9}}"#)
    };
    std::fs::write(&queries, (1..40).map(|page| line(page) + "\n").collect::<String>()).unwrap();
    let ask = |strategy, instances| {
        pages(&place, &log, &[strategy, "--queries", queries.to_str().unwrap(), "--instances", instances])
    };
    let right = ask("native-baseline", "fresh");
    assert!(right.iter().filter(|answer| answer.is_full()).count() > 20);
    for strategy in ["baseline", "keyset"] {
        for instances in ["fresh", "warm", "warm:1", "warm:3", "warm:1048575"] {
            assert_eq!(ask(strategy, instances), right, "{strategy} {instances}");
        }
    }
}

fn one(place: &Place, log: &std::path::Path, line: &str) -> Answer {
    let mut answers = pages(place, log, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

//! Cursors: a walk sees one log, whole; a cursor is good for its filter and log, and for nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::answers::{Answer, pages};
use crate::support::foreign::log_with_ties;
use crate::support::writer::Writer;
use crate::support::{Place, STRATEGIES, code, error_of, refused, stderr, stdout};

/// Filters with the page size that they are walked with.
const WALKS: [(&[&str], &str); 4] = [
    (&[], "310"),
    (&["--actor", "5"], "31"),
    (&["--action", "UPDATE", "--from", "1767000100", "--to", "1767001100"], "50"),
    (&["--actor", "7", "--action", "LOGIN"], "9"),
];

#[test]
fn a_walk_shows_each_event_once_while_others_are_appended() {
    for strategy in STRATEGIES {
        walks_are_whole(&[strategy], &WALKS[1..2]);
    }
}

/// Every page is a process of its own, so this is also a restart between any two of them.
#[test]
fn a_cursor_works_for_another_strategy_and_after_a_restart() {
    walks_are_whole(&STRATEGIES, &WALKS);
}

fn walks_are_whole(strategies: &[&str], walks: &[(&[&str], &str)]) {
    let place = Place::new();
    let log = log_with_ties(&place);
    let mut writer = Writer::start(&log);
    for (filter, size) in walks {
        let right = everything(&place, &log, filter);
        let mut walked = Vec::new();
        let mut strategies = strategies.iter().cycle();
        let mut answer = ask(&place, &log, strategies.next().unwrap(), filter, &["--page-size", size]);
        loop {
            walked.extend_from_slice(&answer.ids);
            let Some(cursor) = answer.next else { break };
            // A third of these have old times: without a bound they would turn up in the middle.
            writer.append(40);
            let strategy = strategies.next().unwrap();
            answer = ask(&place, &log, strategy, filter, &["--page-size", size, "--after", &cursor]);
        }
        assert_eq!(walked, right, "{filter:?}: no gap, no repeat, nothing that came later");
        assert!(walked.len() > 3 * size.parse::<usize>().unwrap() / 2, "{filter:?} is not a walk");
    }
    let everything = everything(&place, &log, &[]);
    assert!(everything.len() > 2000, "a new walk sees what was appended");
}

#[test]
fn a_walk_by_cursor_shows_what_the_walk_by_page_shows() {
    let place = Place::new();
    let log = log_with_ties(&place);
    for (filter, size) in WALKS {
        let mut by_cursor = ask(&place, &log, "keyset", filter, &["--page-size", size]);
        for page in 2_u64.. {
            let Some(cursor) = by_cursor.next else { break };
            let number = page.to_string();
            let by_page =
                ask(&place, &log, "native-baseline", filter, &["--page-size", size, "--page", &number]);
            by_cursor = ask(&place, &log, "keyset", filter, &["--page-size", size, "--after", &cursor]);
            assert_eq!(
                (&by_cursor.ids, &by_cursor.sha256),
                (&by_page.ids, &by_page.sha256),
                "{filter:?} {page}"
            );
        }
    }
}

#[test]
fn a_cursor_for_another_filter_is_refused() {
    let place = Place::new();
    let log = log_with_ties(&place);
    let own = ["--actor", "5", "--from", "1767000000", "--to", "1767001200"];
    let cursor = first_cursor(&place, &log, &own);
    for other in [
        &["--from", "1767000000", "--to", "1767001200"][..],
        &["--actor", "6", "--from", "1767000000", "--to", "1767001200"],
        &["--actor", "5", "--from", "1767000001", "--to", "1767001200"],
        &["--actor", "5", "--from", "1767000000", "--to", "1767001201"],
        &["--actor", "5", "--from", "1767000000"],
        &["--actor", "5", "--from", "1767000000", "--to", "1767001200", "--action", "LOGIN"],
        &["--actor", "5", "--from", "1767000000", "--to", "1767001200", "--action", ""],
    ] {
        is_refused(&place, &log, other, &cursor);
    }
    assert!(ask(&place, &log, "keyset", &own, &["--page-size", "9", "--after", &cursor]).is_full());
}

#[test]
fn a_changed_cursor_is_refused() {
    let place = Place::new();
    let log = log_with_ties(&place);
    let cursor = first_cursor(&place, &log, &[]);
    let last = cursor.len() - 1;
    for position in [0, 1, 10, 20, 30, last / 2 + 10, last - 1, last] {
        let mut changed = cursor.clone().into_bytes();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        is_refused(&place, &log, &[], std::str::from_utf8(&changed).unwrap());
    }
    for changed in
        ["", "x", &cursor[..last], &format!("{cursor}A"), &format!("{cursor}="), &format!(" {cursor}")]
    {
        is_refused(&place, &log, &[], changed);
    }
}

#[test]
fn a_bad_cursor_in_a_conversation_names_its_line() {
    let place = Place::new();
    let log = log_with_ties(&place);
    let cursor = first_cursor(&place, &log, &[]);
    let line = |cursor: &str, actor: &str| {
        let window = format!(r#""from_ts": {}, "to_ts": {}"#, i64::MIN, i64::MAX);
        format!(r#"{{{window}, "actor_id": {actor}, "after": "{cursor}", "page_size": 10}}"#)
    };
    let queries = place.path("queries.jsonl");
    std::fs::write(&queries, format!("{}\n{}\n", line(&cursor, "null"), line(&cursor, "5"))).unwrap();
    let ran = place.run(&log, &["page", "keyset", "--json", "--queries", queries.to_str().unwrap()]);
    assert_eq!((code(&ran), stdout(&ran).lines().count()), (2, 1), "{}", stderr(&ran));
    let error = error_of(&ran);
    assert_eq!(error["code"], "bad-cursor");
    assert!(error["message"].as_str().unwrap().contains("line 2"), "{error}");
}

#[test]
fn a_cursor_is_good_for_its_log_wherever_that_lies_and_for_no_other() {
    let place = Place::new();
    let log = log_with_ties(&place);
    let cursor = first_cursor(&place, &log, &[]);
    let elsewhere = place.path("elsewhere");
    std::fs::rename(&log, &elsewhere).unwrap();
    assert!(ask(&place, &elsewhere, "keyset", &[], &["--after", &cursor]).is_full());
    is_refused(&place, &place.small_data(200), &[], &cursor);
}

#[test]
fn a_cursor_outlives_one_change_of_keys() {
    let place = Place::new();
    let log = log_with_ties(&place);
    let cursor = first_cursor(&place, &log, &[]);
    let file = place.path("state/cursor.key");
    let old = std::fs::read(&file).unwrap();
    let new = [7_u8; 32];
    std::fs::write(&file, [&new[..], &old].concat()).unwrap();
    assert!(ask(&place, &log, "keyset", &[], &["--after", &cursor]).is_full());
    std::fs::write(&file, new).unwrap();
    is_refused(&place, &log, &[], &cursor);
}

/// The ids that a filter has, newest first, by the plainest strategy and the largest pages.
fn everything(place: &Place, log: &Path, filter: &[&str]) -> Vec<i64> {
    let mut ids = Vec::new();
    for page in 1.. {
        let number = page.to_string();
        let answer = ask(place, log, "native-baseline", filter, &["--page-size", "1000", "--page", &number]);
        ids.extend_from_slice(&answer.ids);
        if !answer.is_full() {
            break;
        }
    }
    let distinct: BTreeSet<&i64> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    ids
}

fn ask(place: &Place, log: &Path, strategy: &str, filter: &[&str], position: &[&str]) -> Answer {
    let mut answers = pages(place, log, &[&[strategy], filter, position].concat());
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

fn first_cursor(place: &Place, log: &Path, filter: &[&str]) -> String {
    ask(place, log, "native-keyset", filter, &["--page-size", "10"]).next.unwrap()
}

fn is_refused(place: &Place, log: &Path, filter: &[&str], cursor: &str) {
    // One argument, so that a cursor that begins with a hyphen is not taken for an option.
    let after = format!("--after={cursor}");
    let ran = place.run(log, &[&["page", "native-keyset", "--json", &after], filter].concat());
    let error = refused(&ran, 2, "bad-cursor");
    assert!(error["fix"].as_str().unwrap().contains("page number"), "{error}");
}

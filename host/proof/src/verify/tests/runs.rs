//! What a run counts, where it stops, and which failures decide nothing.

use super::*;

#[test]
fn an_honest_strategy_is_equal_and_every_page_is_counted() {
    let log = log_of(2_000);
    let mut asked = requests(200);
    asked.push(PageRequest { position: Position::Page(500), ..everything(50) });
    let streams = stream(asked);
    let report = run(&log, Twist::Not, &streams, &walks(&profile(&log))).unwrap();

    assert!(report.equal);
    let dense = &report.streams[0];
    assert_eq!((dense.pages, dense.differing), (201, 0));
    assert!(dense.non_empty < dense.pages && dense.non_empty > 100);
    assert_eq!(dense.bound, verdict::rule_of_three(dense.non_empty));
    let by_name = |name| report.streams.iter().find(|stream| stream.name == name).unwrap();
    // Each list once: it ends with its short page.
    assert_eq!((by_name("actors").events, by_name("actors").pages), (2_000, 5));
    assert_eq!((by_name("actions").events, by_name("actions").non_empty), (2_000, 3));
    assert_eq!(report.pages, report.streams.iter().map(|stream| stream.pages).sum::<u64>());
}

#[test]
fn walks_catch_a_gap_a_repeat_and_an_endless_walk() {
    let log = log_of(300);
    let walk = Walk { filter: everything(1).filter, page_size: 20, by_cursor: true };
    let walks = [WalkStream { name: "walks", walks: vec![walk] }];
    for (twist, position) in [(Twist::GapAtSeam, 3), (Twist::RepeatAtSeam, 3), (Twist::Endless, 16)] {
        let report = run(&log, twist, &[], &walks).unwrap();
        let found = &report.streams[0].differences[0];
        assert_eq!(found.request.position, Position::Page(position), "{twist:?}");
        assert_eq!(found.request.up_to, Some(300), "a walk sees one log");
        assert!(report.streams[0].pages < 40, "bounded");
    }
}

#[test]
fn a_reference_that_contradicts_itself_decides_nothing() {
    for (twist, rows, by_cursor, words) in [
        (Twist::GapAtSeam, 300, true, "by cursor is not its walk by page"),
        (Twist::RepeatAtSeam, 300, false, "shows event 245 out of turn"),
        (Twist::Endless, 300, false, "out of turn"),
        (Twist::Endless, 290, true, "goes on after page 15"),
        (Twist::Traps, 300, false, "the strategy trapped"),
    ] {
        let log = log_of(rows);
        let walk = Walk { filter: everything(1).filter, page_size: 20, by_cursor };
        let walks = [WalkStream { name: "walks", walks: vec![walk] }];
        let mut subject = Fake::new(&log, twist);
        let mut reference = Fake::new(&log, twist);
        let error =
            verify(&mut subject, &mut reference, NAMES, &[], &walks, &mut |_, _, _| Ok(())).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{twist:?} {error}");
        let error = error.to_string();
        assert!(error.contains("the reference cannot serve"), "{error}");
        assert!(error.contains(words), "{twist:?} {error}");
    }
}

#[test]
fn a_corrupt_log_is_an_error_of_the_run_that_names_the_event() {
    let log = log_of(300);
    let streams = stream(vec![everything(300)]);
    for (ours, theirs) in [
        (Twist::LogCorrupt, Twist::LogCorrupt),
        (Twist::LogCorrupt, Twist::Not),
        (Twist::Dropped, Twist::LogCorrupt),
    ] {
        let mut subject = Fake::new(&log, ours);
        let mut reference = Fake::new(&log, theirs);
        let error =
            verify(&mut subject, &mut reference, NAMES, &streams, &[], &mut |_, _, _| Ok(())).unwrap_err();
        assert!(matches!(error, Error::PayloadCorrupt { id: 77, .. }), "{error}");
    }
}

#[test]
fn a_busy_log_is_asked_again() {
    let log = log_of(300);
    let report = run(&log, Twist::BusyTwice, &stream(requests(20)), &[]).unwrap();
    assert!(report.equal);
}

#[test]
fn a_stream_stops_at_its_first_difference_unless_told_to_count_on() {
    let log = log_of(2_000);
    let streams = stream(requests(50));
    let mut subject = Fake::new(&log, Twist::EarlyEnd);
    let mut reference = Fake::new(&log, Twist::Not);
    let mut heard = Vec::new();
    let mut checker = Checker {
        sides: Sides { subject: &mut subject, reference: &mut reference },
        names: NAMES,
        count_on: false,
        progress: &mut |name, done, total| {
            heard.push(done);
            assert_eq!((name, total), ("dense", 50));
            Ok(())
        },
    };
    let first = checker.verify(&streams, &[]).unwrap();
    assert_eq!((first.equal, first.streams[0].differing, first.bound), (false, 1, None));
    checker.count_on = true;
    let all = checker.verify(&streams, &[]).unwrap();
    assert_eq!(all.streams[0].pages, 50);
    assert_eq!(all.streams[0].differing, all.streams[0].non_empty);
    assert_eq!(all.streams[0].differences, first.streams[0].differences);
    let first_page_with_events = first.streams[0].pages;
    let wanted: Vec<u64> = (1..=first_page_with_events).chain(1..=50).collect();
    assert_eq!(heard, wanted);
}

#[test]
fn an_interruption_ends_the_run() {
    let log = log_of(100);
    let mut subject = Fake::new(&log, Twist::Not);
    let mut reference = Fake::new(&log, Twist::Not);
    let streams = stream(requests(50));
    let mut progress = |_: &str, done: u64, _: u64| match done {
        3 => Err(Error::Interrupted),
        _ => Ok(()),
    };
    let ended = verify(&mut subject, &mut reference, NAMES, &streams, &[], &mut progress);
    assert!(matches!(ended, Err(Error::Interrupted)));
    assert_eq!(subject.calls, 3);
}

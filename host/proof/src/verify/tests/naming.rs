//! Each lie gets its name, and a small request that shows it.

use super::*;

/// What `verify` must call each wrong strategy.
const NAMED: [(Twist, &str); 17] = [
    (Twist::InventedId, "lie:invented-id"),
    (Twist::RepeatedEvent, "lie:repeated-event"),
    (Twist::SwappedNeighbours, "lie:swapped-neighbours"),
    (Twist::WrongTieOrder, "lie:wrong-tie-order"),
    (Twist::OutsideWindow, "lie:outside-window"),
    (Twist::WrongActor, "lie:wrong-actor"),
    (Twist::WrongAction, "lie:wrong-action"),
    (Twist::OneTooMany, "lie:one-too-many"),
    (Twist::Dropped, "lie:dropped-event"),
    (Twist::DroppedAndFilled, "lie:dropped-event"),
    (Twist::EarlyEnd, "lie:early-end"),
    (Twist::EmptyFifties, "lie:early-end"),
    (Twist::NextPageInstead, "lie:next-page-instead"),
    (Twist::StalePage, "lie:stale-page"),
    (Twist::OtherPayload, "field:payload"),
    (Twist::Traps, "trapped"),
    (Twist::RefusedByHost, "lie:wrong-tie-order"),
];

#[test]
fn each_wrong_strategy_is_caught_and_named_whatever_request_betrays_it() {
    let log = log_of(800);
    for (twist, name) in NAMED {
        let mut betrayed = 0;
        for request in requests(80) {
            let streams = stream(vec![request.clone()]);
            let report = run(&log, twist, &streams, &[]).unwrap();
            for finding in &report.streams[0].differences {
                betrayed += 1;
                assert_eq!(finding.kind, name, "{twist:?} {finding:#?}");
            }
        }
        assert!(betrayed >= 8, "{twist:?} was caught {betrayed} times");
    }
}

#[test]
fn a_difference_is_shrunk_to_a_small_request_that_still_differs() {
    let log = log_of(2_000);
    let asked = PageRequest {
        position: Position::Page(2),
        filter: Filter { actor_id: Some(3), action: Some("UPDATE".into()), ..everything(1).filter },
        up_to: Some(1_990),
        ..everything(50)
    };
    // The lie shows on pages of three events and more.
    let streams = stream(vec![asked.clone()]);
    let report = run(&log, Twist::Dropped, &streams, &[]).unwrap();
    let found = &report.streams[0].differences[0];
    assert_eq!(found.request, asked);
    let smallest = &found.smallest;
    assert_eq!((smallest.page_size, smallest.position, smallest.up_to), (3, Position::Page(1), None));
    assert_eq!((smallest.filter.actor_id, &smallest.filter.action), (None, &None));
    assert!(smallest.filter.to_ts - smallest.filter.from_ts < 10, "{smallest:?}");
    let again = run(&log, Twist::Dropped, &stream(vec![smallest.clone()]), &[]).unwrap();
    assert_eq!(again.streams[0].differences[0].smallest, *smallest, "smallest is a fixed point");
}

#[test]
fn shrinking_keeps_to_its_tries_and_to_the_manner_of_the_failure() {
    let log = log_of(2_000);
    let mut subject = Fake::new(&log, Twist::Traps);
    let mut reference = Fake::new(&log, Twist::Not);
    let mut sides = Sides { subject: &mut subject, reference: &mut reference };
    let asked = PageRequest { position: Position::Page(3), ..everything(50) };
    let Judged::Differs(case) = sides.judge(&asked).unwrap() else { panic!("equal") };
    let smallest = shrink::shrink(&case, &mut sides, 2).unwrap().unwrap();
    assert!(matches!(smallest.subject, Err(Error::Trapped { .. })));
    assert_eq!(smallest.request.page_size, 1);
    assert_eq!(subject.calls, 1 + 2);
}

/// The host sees a hole in a page, but not what made it.
#[test]
fn a_hole_that_the_host_refused_is_traced_to_the_lie_behind_it() {
    let log = log_of(800);
    for (twist, name) in [
        (Twist::Dropped, "lie:dropped-event"),
        (Twist::StalePage, "lie:stale-page"),
        (Twist::NextPageInstead, "lie:next-page-instead"),
    ] {
        let mut refused = 0;
        let mut asked = requests(40);
        for request in &mut asked {
            request.filter.actor_id = None;
            request.filter.action = None;
        }
        for request in asked {
            let mut subject = Fake::new(&log, twist);
            subject.proved = true;
            refused += u32::from(subject.page(&request).is_err());
            let mut reference = Fake::new(&log, Twist::Not);
            let streams = stream(vec![request]);
            let report =
                verify(&mut subject, &mut reference, NAMES, &streams, &[], &mut |_, _, _| Ok(())).unwrap();
            for finding in &report.streams[0].differences {
                assert_eq!(finding.kind, name, "{twist:?} {finding:#?}");
            }
        }
        assert!(refused > 10 || twist == Twist::NextPageInstead, "{twist:?} {refused}");
    }
}

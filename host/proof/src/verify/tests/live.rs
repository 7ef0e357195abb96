//! Logs that grow while they are compared.

use super::super::fakes::append;
use super::*;

fn appending(twist: Twist) -> StreamReport {
    let log = log_of(500);
    let mut subject = Fake::new(&log, twist);
    let mut reference = Fake::new(&log, Twist::Not);
    let mut checker = Checker {
        sides: Sides { subject: &mut subject, reference: &mut reference },
        names: NAMES,
        count_on: false,
        progress: &mut |_, _, _| Ok(()),
    };
    let mut batches = 0;
    let mut appender = || {
        append(&log, 10);
        batches += 1;
        Ok(batches < 30)
    };
    live(&mut checker, &requests(40), 2, &mut appender).unwrap()
}

#[test]
fn pages_taken_while_the_log_grows_are_compared_at_each_snapshot() {
    let honest = appending(Twist::Not);
    assert_eq!((honest.differing, honest.pages), (0, 120), "30 batches, 2 requests, twice");
    assert_eq!(honest.name, "appending");
    assert_eq!(appending(Twist::StalePage).differences[0].kind, "lie:stale-page");
    assert_eq!(appending(Twist::DroppedAndFilled).differences[0].kind, "lie:dropped-event");
}

/// A log that grows by an event with every page that is asked of it.
struct Growing(Fake);

impl Pager for Growing {
    fn page(&mut self, request: &PageRequest) -> Result<keyhole_log::model::Page, Error> {
        append(&self.0.log, 3);
        self.0.page(request)
    }
}

#[test]
fn a_log_that_grows_between_two_answers_is_no_difference() {
    let log = log_of(500);
    let mut subject = Growing(Fake::new(&log, Twist::Not));
    let mut reference = Growing(Fake::new(&log, Twist::Not));
    let walks = walks(&profile(&log));
    let streams = stream(requests(40));
    let report =
        verify(&mut subject, &mut reference, NAMES, &streams, &walks, &mut |_, _, _| Ok(())).unwrap();
    assert!(report.equal, "{}", render(&report));
}

//! Whole walks by cursor beside one ordered scan: what they catch, and who is to blame.

use super::*;
use crate::verify::sides::Sides;
use crate::verify::verdict::StreamReport;
use keyhole_log::model::{Page, Pager};

/// A scan of a log in memory, by a strategy that may be wrong itself.
struct Scan {
    strategy: Fake,
    up_to: i64,
    number: u64,
}

impl InOrder for Scan {
    fn up_to(&self) -> i64 {
        self.up_to
    }

    fn range(&mut self) -> Result<Page, Error> {
        self.number += 1;
        let position = Position::Page(self.number);
        self.strategy.page(&PageRequest { position, up_to: Some(self.up_to), ..everything(64) })
    }
}

fn walked(log: &Events, subject: Twist, reference: Twist, scan: Twist) -> Result<StreamReport, Error> {
    let walk = |actor_id, action: Option<&str>, page_size| Walk {
        filter: Filter { actor_id, action: action.map(str::to_owned), ..everything(1).filter },
        page_size,
        by_cursor: true,
    };
    let walks = [walk(None, None, 50), walk(Some(3), None, 7), walk(None, Some("UPDATE"), 20)];
    let (mut subject, mut reference) = (Fake::new(log, subject), Fake::new(log, reference));
    let up_to = i64::try_from(log.lock().unwrap().len()).unwrap() - 10;
    let mut scan = Scan { strategy: Fake::new(log, scan), up_to, number: 0 };
    let mut checker = Checker {
        sides: Sides { subject: &mut subject, reference: &mut reference },
        names: NAMES,
        count_on: false,
        progress: &mut |_, _, _| Ok(()),
    };
    super::super::whole(&mut checker, &walks, &mut scan, 10)
}

#[test]
fn a_whole_walk_of_an_honest_strategy_meets_every_event_once() {
    // One page is the last and full, in one of them: what follows it is asked for, too.
    for rows in [10, 11, 60, 660, 709] {
        let log = log_of(rows);
        let report = walked(&log, Twist::Not, Twist::Not, Twist::Not).unwrap();
        let log = log.lock().unwrap();
        let seen = log.iter().take(log.len() - 10);
        let of_walks: usize =
            seen.map(|row| 1 + usize::from(row.actor_id == 3) + usize::from(row.action == "UPDATE")).sum();
        assert_eq!((report.differing, report.events), (0, of_walks as u64), "{rows}");
    }
}

#[test]
fn a_whole_walk_catches_whatever_a_page_by_cursor_can_lack_or_add() {
    let log = log_of(700);
    for twist in [
        Twist::Dropped,
        Twist::DroppedAndFilled,
        Twist::EarlyEnd,
        Twist::EmptyFifties,
        Twist::RepeatedEvent,
        Twist::InventedId,
        Twist::SwappedNeighbours,
        Twist::WrongTieOrder,
        Twist::WrongActor,
        Twist::WrongAction,
        Twist::OneTooMany,
        Twist::OtherPayload,
        Twist::Traps,
    ] {
        let report = walked(&log, twist, Twist::Not, Twist::Not).unwrap();
        assert_eq!((report.differing, report.differences.len()), (1, 1), "{twist:?}");
        assert_eq!(report.differences[0].stream, "whole");
    }
}

#[test]
fn a_scan_that_stands_alone_blames_no_strategy() {
    for (twist, rows) in [(Twist::Dropped, 700), (Twist::EarlyEnd, 40), (Twist::OtherPayload, 700)] {
        let error = walked(&log_of(rows), Twist::Not, Twist::Not, twist).unwrap_err();
        assert!(error.to_string().contains("is not what the log holds in order"), "{twist:?} {error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn only_a_log_that_is_too_large_for_offset_is_walked_whole() {
    let log = |rows| Profile { rows, ..profile(&log_of(20)) };
    assert!(whole_walks(&log(50_000)).is_empty());
    let walks = whole_walks(&log(50_001));
    assert_eq!(walks.len(), 4);
    assert!(walks[0].filter.matches(i64::MIN, 0, "") && walks.iter().all(|walk| walk.by_cursor));
}

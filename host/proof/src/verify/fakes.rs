//! Strategies in memory for the tests: an honest one, and the wrong ones of the hostile list.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use keyhole_log::error::{Error, PayloadFault};
use keyhole_log::model::{Event, Filter, Page, PageRequest, Pager, Position};

pub(crate) type Events = Arc<Mutex<Vec<Stored>>>;

#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) id: i64,
    pub(crate) created_at: i64,
    pub(crate) actor_id: i64,
    pub(crate) action: &'static str,
    pub(crate) payload: Vec<u8>,
}

const ACTIONS: [&str; 3] = ["LOGIN", "UPDATE", "DELETE"];

/// A log whose events arrive out of order, with many ties.
pub(crate) fn log_of(rows: i64) -> Events {
    let log = Events::default();
    append(&log, rows);
    log
}

pub(crate) fn append(log: &Events, rows: i64) {
    let mut log = log.lock().unwrap();
    for _ in 0..rows {
        let id = i64::try_from(log.len()).unwrap() + 1;
        let random = scrambled(id);
        log.push(Stored {
            id,
            created_at: 1_000_000 + i64::try_from(random % 1_500).unwrap(),
            actor_id: i64::try_from(random / 7_919 % 5).unwrap() + 1,
            action: ACTIONS[usize::try_from(random / 104_729 % 3).unwrap()],
            payload: format!("{{\"n\": {id}}}\n").into_bytes(),
        });
    }
}

/// A fixed permutation of numbers (splitmix64).
pub(crate) fn scrambled(number: i64) -> u64 {
    let mut x = number.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

pub(crate) fn everything(page_size: u32) -> PageRequest {
    PageRequest {
        filter: Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None },
        position: Position::Page(1),
        page_size,
        up_to: None,
    }
}

pub(crate) fn page_of(request: PageRequest, events: &[Event<'_>]) -> Page {
    let high_water = events.iter().map(|event| event.id).max().unwrap_or(0);
    let mut page = Page::empty(request, high_water);
    for event in events {
        page.push(*event);
    }
    page
}

/// How a fake is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    Not,
    RepeatedEvent,
    InventedId,
    SwappedNeighbours,
    WrongTieOrder,
    OutsideWindow,
    WrongActor,
    WrongAction,
    OneTooMany,
    NextPageInstead,
    StalePage,
    EarlyEnd,
    /// Pages of 50 are empty, all others right.
    EmptyFifties,
    /// Leaves out the middle event, and the page is one short.
    Dropped,
    /// Leaves out the first event, and the page is filled up.
    DroppedAndFilled,
    OtherPayload,
    /// Page 3 and later lack the event at their seam.
    GapAtSeam,
    /// Page 3 and later begin with the last event of the page before.
    RepeatAtSeam,
    /// Pages past the end show the last page.
    Endless,
    Traps,
    RefusedByHost,
    LogCorrupt,
    BusyTwice,
}

pub(crate) struct Fake {
    pub(crate) log: Events,
    pub(crate) twist: Twist,
    pub(crate) calls: u64,
    /// Whether a page of a filter by window alone that has a hole is refused, as the host does.
    pub(crate) proved: bool,
}

impl Fake {
    pub(crate) fn new(log: &Events, twist: Twist) -> Self {
        Self { log: Arc::clone(log), twist, calls: 0, proved: false }
    }
}

impl Pager for Fake {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        self.calls += 1;
        let log = self.log.lock().unwrap();
        let right = answer(&log, request);
        let rows = match self.twist {
            Twist::Traps if !right.is_empty() => {
                return Err(Error::Trapped { what: "unreachable".into(), note: String::new() });
            }
            Twist::RefusedByHost if right.len() > 2 => {
                return Err(Error::Lied {
                    kind: keyhole_log::error::Lie::WrongTieOrder,
                    detail: "event 7".into(),
                });
            }
            Twist::LogCorrupt if right.iter().any(|row| row.id == 77) => {
                return Err(Error::PayloadCorrupt {
                    id: 77,
                    fault: PayloadFault::NotJson,
                    why: "not JSON".into(),
                    after: None,
                });
            }
            Twist::BusyTwice if !self.calls.is_multiple_of(3) => return Err(Error::Busy),
            twist => twisted(twist, &log, request, right),
        };
        if self.proved && has_hole(&log, request, &rows) {
            return Err(Error::Lied { kind: keyhole_log::error::Lie::DroppedEvent, detail: "a hole".into() });
        }
        let mut page = Page::empty(request.clone(), high_water(&log));
        for row in &rows {
            page.push(Event {
                id: row.id,
                created_at: row.created_at,
                actor_id: row.actor_id,
                action: row.action,
                resource_type: "ORDER",
                resource_id: "ORDER-1",
                payload: &row.payload,
            });
        }
        Ok(page)
    }
}

fn high_water(log: &[Stored]) -> i64 {
    log.last().map_or(0, |row| row.id)
}

fn answer(log: &[Stored], request: &PageRequest) -> Vec<Stored> {
    let filter = &request.filter;
    let mut rows: Vec<&Stored> = log
        .iter()
        .filter(|row| filter.matches(row.created_at, row.actor_id, row.action))
        .filter(|row| request.up_to.is_none_or(|up_to| row.id <= up_to))
        .filter(|row| match request.position {
            Position::Page(_) => true,
            Position::After(key) => (row.created_at, row.id) < (key.created_at, key.id),
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.id)));
    let skipped = usize::try_from(request.skipped().unwrap_or(0)).unwrap();
    let rows = rows.into_iter().skip(skipped).take(request.page_size as usize);
    rows.cloned().collect()
}

/// The answer to the same request with something about it changed.
fn instead(log: &[Stored], request: &PageRequest, change: fn(&mut PageRequest)) -> Vec<Stored> {
    let mut other = request.clone();
    change(&mut other);
    answer(log, &other)
}

fn twisted(twist: Twist, log: &[Stored], request: &PageRequest, mut rows: Vec<Stored>) -> Vec<Stored> {
    let middle = rows.len() / 2;
    match twist {
        Twist::RepeatedEvent if middle > 0 => rows[middle] = rows[middle - 1].clone(),
        Twist::InventedId if middle > 0 => rows[middle].id = high_water(log) + 5,
        Twist::SwappedNeighbours | Twist::WrongTieOrder => {
            let tie = twist == Twist::WrongTieOrder;
            let pair = |at: &usize| (rows[*at].created_at == rows[at + 1].created_at) == tie;
            if let Some(at) = (0..rows.len().saturating_sub(1)).find(pair) {
                rows.swap(at, at + 1);
            }
        }
        Twist::OutsideWindow => {
            return instead(log, request, |other| {
                other.filter.to_ts = other.filter.to_ts.saturating_add(50);
            });
        }
        Twist::WrongActor => return instead(log, request, |other| other.filter.actor_id = None),
        Twist::WrongAction => return instead(log, request, |other| other.filter.action = None),
        Twist::OneTooMany => return run_of(log, request, 0, request.page_size as usize + 1),
        Twist::NextPageInstead => {
            return instead(log, request, |other| {
                if let Position::Page(page) = &mut other.position {
                    *page += 1;
                }
            });
        }
        Twist::StalePage => {
            let before = high_water(log) - 40;
            let up_to = Some(request.up_to.map_or(before, |up_to| up_to.min(before)));
            return answer(log, &PageRequest { up_to, ..request.clone() });
        }
        Twist::EmptyFifties if request.page_size == 50 => rows.clear(),
        Twist::EarlyEnd => rows.truncate(middle),
        Twist::Dropped if rows.len() > 2 => drop(rows.remove(middle)),
        Twist::DroppedAndFilled => return run_of(log, request, 1, request.page_size as usize),
        Twist::OtherPayload if middle > 0 => rows[middle].payload = b"{\"n\": 0}\n".to_vec(),
        Twist::GapAtSeam | Twist::RepeatAtSeam if later_page(request) && !rows.is_empty() => {
            if twist == Twist::GapAtSeam {
                rows.remove(0);
            } else {
                let mut before = request.clone();
                if let Position::Page(page) = &mut before.position {
                    *page -= 1;
                }
                let seam = answer(log, &before).pop().unwrap();
                rows.pop();
                rows.insert(0, seam);
            }
        }
        Twist::Endless if rows.is_empty() => {
            let mut last = request.clone();
            while let Position::Page(page) = &mut last.position {
                if *page == 1 {
                    break;
                }
                *page -= 1;
                rows = answer(log, &last);
                if !rows.is_empty() {
                    break;
                }
            }
        }
        _ => {}
    }
    rows
}

/// `len` matching events, from `shift` places after the page's start.
fn run_of(log: &[Stored], request: &PageRequest, shift: usize, len: usize) -> Vec<Stored> {
    let mut all = request.clone();
    let skipped = usize::try_from(request.skipped().unwrap_or(0)).unwrap();
    all.page_size = u32::MAX;
    if let Position::Page(page) = &mut all.position {
        *page = 1;
    }
    let rows = answer(log, &all).into_iter();
    rows.skip(skipped + shift).take(len).collect()
}

fn has_hole(log: &[Stored], request: &PageRequest, rows: &[Stored]) -> bool {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return false;
    };
    let key = |row: &Stored| (row.created_at, row.id);
    let from = match request.position {
        Position::After(start) => (start.created_at, start.id - 1),
        Position::Page(_) => key(first),
    };
    let all = run_of(log, &PageRequest { position: Position::Page(1), ..request.clone() }, 0, usize::MAX);
    let between = all.iter().filter(|row| key(row) <= from && key(row) >= key(last));
    let unfiltered = request.filter.actor_id.is_none() && request.filter.action.is_none();
    unfiltered && between.count() > rows.len()
}

fn later_page(request: &PageRequest) -> bool {
    matches!(request.position, Position::Page(page) if page >= 3)
}

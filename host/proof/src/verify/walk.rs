//! Whole walks of a filter, by page and by cursor: no gap, no repeat.
//!
//! Nothing is collected: each page is compared when it comes, and only keys are carried over.

use super::compare::first_difference;
use super::sides::{Case, Judged, Sides, reference_failed};
use keyhole_log::error::Error;
use keyhole_log::model::{Filter, Key, Page, PageRequest, Position};
use keyhole_log::survey::profile::Profile;

/// The page size of lists that are read whole.
const LIST_PAGE_SIZE: u32 = 1_000;

/// Up to how many events of a log are walked. By OFFSET, the cost of a walk grows with its square.
const WALKED_ROWS: u64 = 50_000;

/// One walk: every event of a filter, from its first page to the page after its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Which events.
    pub filter: Filter,
    /// How many events a page.
    pub page_size: u32,
    /// Whether to walk by cursor as well, beside the walk by page.
    pub by_cursor: bool,
}

/// Walks that are reported together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkStream {
    /// The stream's name in the report.
    pub name: &'static str,
    /// The walks in order.
    pub walks: Vec<Walk>,
}

/// The walks of a log: `walks` by page and by cursor over several filters, and for a log of up to
/// 50,000 events `actors` and `actions`, the whole list of every actor and of every action.
///
/// On a larger log, `walks` covers its newest events only, about 50,000 of them: see [`whole_walks`].
pub fn walks(profile: &Profile) -> Vec<WalkStream> {
    let mut streams = vec![WalkStream { name: "walks", walks: both_ways(profile) }];
    if profile.rows <= WALKED_ROWS {
        let actors = profile.actors.iter().map(|actor| list(Some(*actor), None));
        let actions = profile.actions.iter().map(|action| list(None, Some(action)));
        streams.push(WalkStream { name: "actors", walks: actors.collect() });
        streams.push(WalkStream { name: "actions", walks: actions.collect() });
    }
    streams
}

/// The walks by cursor over all of a log that is too large to be walked by OFFSET: of every event, and of
/// those of an action, of an actor, and of both. None for a log of up to 50,000 events, which [`walks`] covers.
pub fn whole_walks(profile: &Profile) -> Vec<Walk> {
    if profile.rows <= WALKED_ROWS {
        return Vec::new();
    }
    let actor = profile.actors.get(profile.actors.len() / 2).copied();
    let action = profile.actions.first().cloned();
    let walks = [(None, None, 499), (None, action.clone(), 101), (actor, None, 7), (actor, action, 1)];
    let of = |(actor_id, action, page_size)| Walk {
        filter: Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id, action },
        page_size,
        by_cursor: true,
    };
    walks.into_iter().map(of).collect()
}

fn both_ways(profile: &Profile) -> Vec<Walk> {
    let walked = walked_window(profile);
    let actor = profile.actors.get(profile.actors.len() / 2).copied();
    let action = profile.actions.first().cloned();
    let half = Filter {
        from_ts: i64::midpoint(walked.from_ts.max(profile.oldest), profile.newest),
        to_ts: profile.newest,
        ..walked.clone()
    };
    let of_actor = Filter { actor_id: actor, ..walked.clone() };
    let of_action = Filter { action: action.clone(), ..walked.clone() };
    let of_both = Filter { actor_id: actor, action, ..walked.clone() };
    // Sizes that divide nothing in particular, so that seams fall everywhere.
    let mut walks = vec![(walked, 499), (half, 97), (of_actor, 7), (of_action, 101), (of_both, 1)];
    for second in profile.ties.iter().take(8) {
        let tie = Filter { from_ts: *second, to_ts: *second, actor_id: None, action: None };
        walks.push((tie, 1));
    }
    let by_both_ways = |(filter, page_size)| Walk { filter, page_size, by_cursor: true };
    walks.into_iter().map(by_both_ways).collect()
}

/// The whole log, or as many of its newest seconds as hold the events that are walked, were they
/// spread evenly.
fn walked_window(profile: &Profile) -> Filter {
    let span = i128::from(profile.newest) - i128::from(profile.oldest);
    let share = span * i128::from(WALKED_ROWS) / i128::from(profile.rows.max(1));
    let from = i128::from(profile.newest) - share;
    Filter {
        from_ts: match i64::try_from(from) {
            Ok(from) if profile.rows > WALKED_ROWS => from,
            _ => i64::MIN,
        },
        to_ts: i64::MAX,
        actor_id: None,
        action: None,
    }
}

fn list(actor_id: Option<i64>, action: Option<&String>) -> Walk {
    Walk {
        filter: Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id, action: action.cloned() },
        page_size: LIST_PAGE_SIZE,
        by_cursor: false,
    }
}

/// Walks both sides in step and returns the first difference, if there is one. Every page that is
/// equal goes to `seen`.
///
/// All requests but the first are bounded by the first page's high-water, as a client's cursors are,
/// so the walk sees one log. It ends after the first page that is not full, and then makes sure that
/// nothing follows. It cannot be endless: keys descend from page to page, or it fails.
///
/// Errors: those of [`Sides::judge`] and of `seen`, and a reference that contradicts itself.
pub fn walk(
    walk: &Walk,
    sides: &mut Sides<'_>,
    seen: &mut dyn FnMut(&Page) -> Result<(), Error>,
) -> Result<Option<Box<Case>>, Error> {
    let mut up_to = None;
    let mut last: Option<Key> = None;
    for number in 1.. {
        let by_page = match sides.judge(&request(walk, Position::Page(number), up_to))? {
            Judged::Equal(page) => page,
            Judged::Differs(case) => return Ok(Some(case)),
            Judged::Unshown => {
                // Where the next page begins is not known: the walk by cursor goes on at the one after it.
                last = None;
                continue;
            }
        };
        seen(&by_page)?;
        check_seam(last, &by_page)?;
        up_to = up_to.or(Some(by_page.high_water));
        if walk.by_cursor && (number == 1 || last.is_some()) {
            let position = last.map_or(Position::Page(1), Position::After);
            match sides.judge(&request(walk, position, up_to))? {
                Judged::Equal(by_cursor) => {
                    seen(&by_cursor)?;
                    check_ways(&by_page, &by_cursor)?;
                }
                Judged::Differs(case) => return Ok(Some(case)),
                Judged::Unshown => {}
            }
        }
        last = by_page.last_key().or(last);
        if !by_page.is_full() {
            // A list of which there are thousands ends here; a whole walk looks beyond its end.
            return if walk.by_cursor { end_of(walk, number, last, up_to, sides, seen) } else { Ok(None) };
        }
    }
    Ok(None)
}

/// After a page that is not full, nothing may follow, whichever way one asks.
fn end_of(
    walk: &Walk,
    number: u64,
    last: Option<Key>,
    up_to: Option<i64>,
    sides: &mut Sides<'_>,
    seen: &mut dyn FnMut(&Page) -> Result<(), Error>,
) -> Result<Option<Box<Case>>, Error> {
    let by_cursor = last.filter(|_| walk.by_cursor).map(Position::After);
    for position in [Some(Position::Page(number + 1)), by_cursor].into_iter().flatten() {
        match sides.judge(&request(walk, position, up_to))? {
            Judged::Equal(page) if page.is_empty() => seen(&page)?,
            Judged::Equal(_) | Judged::Unshown => {
                let what = format!("its walk goes on after page {number}, which is not full");
                return Err(reference_failed(&what));
            }
            Judged::Differs(case) => return Ok(Some(case)),
        }
    }
    Ok(None)
}

fn request(walk: &Walk, position: Position, up_to: Option<i64>) -> PageRequest {
    PageRequest { filter: walk.filter.clone(), position, page_size: walk.page_size, up_to }
}

/// The page equals the reference's: whatever is wrong with it is wrong with the reference too.
fn check_seam(last: Option<Key>, page: &Page) -> Result<(), Error> {
    let mut before = last;
    for event in page.events() {
        if before.is_some_and(|before| before <= event.key()) {
            let what = format!("its walk by page shows event {} out of turn", event.id);
            return Err(reference_failed(&what));
        }
        before = Some(event.key());
    }
    Ok(())
}

fn check_ways(by_page: &Page, by_cursor: &Page) -> Result<(), Error> {
    match first_difference(by_cursor, by_page) {
        None => Ok(()),
        Some(found) => {
            Err(reference_failed(&format!("its walk by cursor is not its walk by page ({found})")))
        }
    }
}

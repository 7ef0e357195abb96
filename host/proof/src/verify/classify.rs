//! Which lie a difference is.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;

use super::compare::{first_difference, same_keys};
use super::sides::{Case, Judged, Sides, bounded};
use keyhole_log::error::{Error, Lie};
use keyhole_log::model::{Event, Filter, Key, Page, PageRequest, Position};

/// What kind of difference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A wrong answer, by name.
    Lie(Lie),
    /// No answer: the error's code.
    Failed(&'static str),
    /// The right events with a wrong field. Impossible for a strategy whose fields the host reads.
    Field(&'static str),
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lie(lie) => write!(out, "lie:{}", lie.name()),
            Self::Failed(code) => out.write_str(code),
            Self::Field(field) => write!(out, "field:{field}"),
        }
    }
}

/// Names the difference, from the request that was found and the smallest that still differs.
///
/// A page that gives its lie away decides: the one that was found, else the smallest. (Page 6 of too
/// wide a window may hold nothing from outside it; its page 1 does.) Otherwise one page can be the
/// work of several lies: one that lacks its newest event is also the page as it was before that
/// event. So the sides are asked more: the reference for the pages that the answer might be, the
/// subject for other pages that its lie would have to show on too.
pub fn classify(found: &Case, smallest: &Case, sides: &mut Sides<'_>) -> Result<Kind, Error> {
    for case in [found, smallest] {
        if let Some(kind) = given_away(case, sides)? {
            return Ok(kind);
        }
    }
    let lie = match &found.subject {
        Ok(page) => by_comparison(found, page, sides)?,
        Err(_) => Some(Lie::DroppedEvent),
    };
    let may_be_another = found.subject.is_err() || lie == Some(Lie::EarlyEnd);
    let lie = if may_be_another { seen_elsewhere(found, smallest, sides)?.or(lie) } else { lie };
    Ok(lie.map_or(Kind::Field("count"), Kind::Lie))
}

/// What the answer alone gives away: a failure, the host's verdict, a wrong field, or a lie that can be
/// seen on the page. A hole that the host has found is left open: several lies leave one.
fn given_away(case: &Case, sides: &mut Sides<'_>) -> Result<Option<Kind>, Error> {
    let page = match &case.subject {
        Ok(page) => page,
        Err(Error::Lied { kind: Lie::DroppedEvent, .. }) => return Ok(None),
        Err(Error::Lied { kind, .. }) => return Ok(Some(Kind::Lie(*kind))),
        Err(error) => return Ok(Some(Kind::Failed(error.code()))),
    };
    let ids = |page: &Page| page.events().map(|event| event.id).collect::<Vec<_>>();
    if ids(page) == ids(&case.reference) {
        let field = first_difference(page, &case.reference).map_or("count", |found| found.field);
        return Ok(Some(Kind::Field(field)));
    }
    let lie = if has_repeats(page) {
        Some(Lie::RepeatedEvent)
    } else if has_invented(case, page, sides)? {
        Some(Lie::InventedId)
    } else {
        seen_on_page(&case.request, page)
    };
    Ok(lie.map(Kind::Lie))
}

/// What only the right pages tell.
fn by_comparison(case: &Case, page: &Page, sides: &mut Sides<'_>) -> Result<Option<Lie>, Error> {
    Ok(if is_another_page(case, page, sides)? {
        Some(Lie::NextPageInstead)
    } else if is_stale(case, page, sides)? {
        Some(Lie::StalePage)
    } else if is_prefix(page, &case.reference) {
        Some(Lie::EarlyEnd)
    } else if starts_elsewhere(page, &case.reference) {
        Some(Lie::NextPageInstead)
    } else {
        lacks_some(page, &case.reference).then_some(Lie::DroppedEvent)
    })
}

/// A page that the host refused for a hole is gone, and an empty one is every lie's last page.
/// Whether a whole other page stands behind it shows where the subject answers with one: to the
/// smallest request, or to another.
fn seen_elsewhere(found: &Case, smallest: &Case, sides: &mut Sides<'_>) -> Result<Option<Lie>, Error> {
    if let Some(lie) = other_page_behind(smallest, sides)? {
        return Ok(Some(lie));
    }
    for probe in probes(&found.request) {
        if let Judged::Differs(other) = sides.judge(&probe)?
            && let Some(lie) = other_page_behind(&other, sides)?
        {
            return Ok(Some(lie));
        }
    }
    Ok(None)
}

fn other_page_behind(case: &Case, sides: &mut Sides<'_>) -> Result<Option<Lie>, Error> {
    let Ok(page) = &case.subject else { return Ok(None) };
    let lie = by_comparison(case, page, sides)?;
    Ok(lie.filter(|lie| matches!(lie, Lie::StalePage | Lie::NextPageInstead)))
}

fn has_repeats(page: &Page) -> bool {
    let mut seen = HashSet::new();
    !page.events().all(|event| seen.insert(event.id))
}

/// Whether an event lies beyond the bound, or is none that the reference can find.
fn has_invented(case: &Case, page: &Page, sides: &mut Sides<'_>) -> Result<bool, Error> {
    let known: HashSet<i64> = case.reference.events().map(|event| event.id).collect();
    for event in page.events().filter(|event| !known.contains(&event.id)) {
        if event.id > case.bound() || !exists(event.key(), sides)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first event of its second that has no larger id: the event itself, if there is one.
fn exists(key: Key, sides: &mut Sides<'_>) -> Result<bool, Error> {
    let filter = Filter { from_ts: key.created_at, to_ts: key.created_at, actor_id: None, action: None };
    let page = sides.ask_reference(&PageRequest {
        filter,
        position: Position::Page(1),
        page_size: 1,
        up_to: Some(key.id),
    })?;
    Ok(page.events().any(|event| event.id == key.id))
}

/// The lies that the page itself gives away.
fn seen_on_page(request: &PageRequest, page: &Page) -> Option<Lie> {
    let keys: Vec<Key> = page.events().map(|event| event.key()).collect();
    if let Some([first, second]) = keys.array_windows().find(|[one, next]| one <= next) {
        return Some(if first.created_at == second.created_at {
            Lie::WrongTieOrder
        } else {
            Lie::SwappedNeighbours
        });
    }
    let filter = &request.filter;
    let in_window = |event: &Event<'_>| (filter.from_ts..=filter.to_ts).contains(&event.created_at);
    let of_actor = |event: &Event<'_>| filter.actor_id.is_none_or(|actor| actor == event.actor_id);
    let of_action = |event: &Event<'_>| filter.action.as_deref().is_none_or(|action| action == event.action);
    if !page.events().all(|event| in_window(&event)) {
        Some(Lie::OutsideWindow)
    } else if !page.events().all(|event| of_actor(&event)) {
        Some(Lie::WrongActor)
    } else if !page.events().all(|event| of_action(&event)) {
        Some(Lie::WrongAction)
    } else if page.len() > request.page_size as usize {
        Some(Lie::OneTooMany)
    } else {
        None
    }
}

/// Whether it is one of the three pages that follow, or the one before. An empty page is no page in
/// particular: it ends early.
fn is_another_page(case: &Case, page: &Page, sides: &mut Sides<'_>) -> Result<bool, Error> {
    if page.is_empty() {
        return Ok(false);
    }
    let mut request = bounded(&case.request, case.bound());
    if let Position::Page(asked) = case.request.position {
        let others = [
            asked.checked_add(1),
            asked.checked_add(2),
            asked.checked_add(3),
            asked.checked_sub(1).filter(|before| *before > 0),
        ];
        for other in others.into_iter().flatten() {
            request.position = Position::Page(other);
            if same_keys(page, &sides.ask_reference(&request)?) {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let mut last = case.reference.last_key();
    for _ in 0..3 {
        let Some(key) = last else { break };
        request.position = Position::After(key);
        let following = sides.ask_reference(&request)?;
        if same_keys(page, &following) {
            return Ok(true);
        }
        last = following.last_key();
    }
    Ok(false)
}

/// Whether the page is right for an earlier high-water, and the subject's other pages do not speak
/// against that.
fn is_stale(case: &Case, page: &Page, sides: &mut Sides<'_>) -> Result<bool, Error> {
    let newest = page.events().map(|event| event.id).max().unwrap_or(0);
    let Some(mut range) = right_within(&case.request, page, newest, case.bound() - 1, sides)? else {
        return Ok(false);
    };
    // A page that only ends too soon was right once too, when the log was smaller still: to be
    // called stale it needs a second page as evidence.
    let mut evidence = !is_prefix(page, &case.reference);
    for probe in probes(&case.request) {
        let Judged::Differs(other) = sides.judge(&probe)? else {
            continue;
        };
        let Ok(page) = &other.subject else { continue };
        let Some(narrower) = right_within(&probe, page, range.0, range.1, sides)? else {
            return Ok(false);
        };
        range = narrower;
        evidence |= !is_prefix(page, &other.reference);
    }
    Ok(evidence)
}

/// Other pages that a stale subject would answer for the same earlier high-water.
fn probes(request: &PageRequest) -> Vec<PageRequest> {
    let whole_log = Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None };
    let mut probes = Vec::new();
    for filter in [&request.filter, &whole_log] {
        for (page, page_size) in [(1, 10), (2, 7), (3, 20), (40, 10)] {
            probes.push(PageRequest {
                filter: filter.clone(),
                position: Position::Page(page),
                page_size,
                up_to: request.up_to,
            });
        }
    }
    probes
}

/// The smallest and the largest high-water from `low` to `high` for which the page is right.
///
/// As the log grows, each place of a page can only come to hold a key further up in the order. So
/// pages, compared key by key, ascend with the high-water, and two bisections find the range.
fn right_within(
    request: &PageRequest,
    page: &Page,
    low: i64,
    high: i64,
    sides: &mut Sides<'_>,
) -> Result<Option<(i64, i64)>, Error> {
    let mut first_where = |wanted: fn(Ordering) -> bool| -> Result<i64, Error> {
        let (mut below, mut above) = (low, high.saturating_add(1));
        while below < above {
            let middle = i64::midpoint(below, above);
            let then = sides.ask_reference(&bounded(request, middle))?;
            let order = then.events().map(|event| event.key()).cmp(page.events().map(|event| event.key()));
            if wanted(order) {
                above = middle;
            } else {
                below = middle + 1;
            }
        }
        Ok(below)
    };
    if low > high {
        return Ok(None);
    }
    let first = first_where(Ordering::is_ge)?;
    let past = first_where(Ordering::is_gt)?;
    Ok((first < past).then(|| (first, past - 1)))
}

fn is_prefix(page: &Page, reference: &Page) -> bool {
    page.len() < reference.len()
        && page.events().zip(reference.events()).all(|(ours, theirs)| ours.id == theirs.id)
}

/// Whether the page starts before the right one, or shares nothing with it.
fn starts_elsewhere(page: &Page, reference: &Page) -> bool {
    let Some(first) = page.events().next().map(|event| event.key()) else {
        return false;
    };
    let right: HashSet<i64> = reference.events().map(|event| event.id).collect();
    reference.events().next().is_none_or(|event| first > event.key())
        || !page.events().any(|event| right.contains(&event.id))
}

fn lacks_some(page: &Page, reference: &Page) -> bool {
    let shown: HashSet<i64> = page.events().map(|event| event.id).collect();
    !reference.events().all(|event| shown.contains(&event.id))
}

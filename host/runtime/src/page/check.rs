//! The checks on a strategy's answer: what it claims against what the host reads itself.
//!
//! The page's rows are read by the *range* that begins where the page does, as many as are claimed, which costs no
//! more than by id, and shows what a strategy left out. Where the range holds too many events that do not match,
//! the rows are read by id, and completeness is left to the comparison with a reference.

use std::cmp::Reverse;
use std::collections::HashSet;

use keyhole_log::error::{Error, Lie};
use keyhole_log::model::{Filter, Key, Page, PageRequest, Position};
use keyhole_log::snapshot::{Range, Snapshot};

/// Reads the rows of the claimed events and checks them. The page comes back without payloads.
///
/// Fails with `Lied` where the answer is wrong in a way that the page itself shows.
pub fn read(snapshot: Snapshot<'_>, request: &PageRequest, claims: &[i64]) -> Result<Page, Error> {
    let size = request.page_size as usize;
    if claims.len() > size {
        let detail = format!("{} events, but {size} were asked for", claims.len());
        return Err(Error::Lied { kind: Lie::OneTooMany, detail });
    }
    let up_to = request.up_to.unwrap_or(i64::MAX).min(snapshot.high_water());
    let mut page = Page::empty(request.clone(), snapshot.high_water());
    let mut expected = None;
    if push_expected(snapshot, request, up_to, claims, &mut page)? {
        if page.ids().eq(claims.iter().copied()) && in_place(&page) {
            page.proved = true;
            return Ok(page);
        }
        expected = Some(std::mem::replace(&mut page, Page::empty(request.clone(), snapshot.high_water())));
    }
    // Either there is no proof by range, or it failed and the events themselves tell why.
    for &id in claims {
        if id > up_to || !snapshot.push_row(id, &mut page)? {
            let detail = match request.up_to {
                Some(bound) if id > bound => format!("event {id} lies beyond the request's bound {bound}"),
                _ => format!("event {id} does not exist"),
            };
            return Err(Error::Lied { kind: Lie::InventedId, detail });
        }
    }
    events(&page)?;
    if let Some(expected) = expected {
        name_missing(&expected, &page)?;
    }
    Ok(page)
}

/// The error of a page with an event that cannot be shown, with the event's place on the page, so that a walk can go on
/// past it: by the range where the host can tell what the page holds, and else by what the strategy had claimed, if that
/// passes as a page. Where it is on neither, the error is as it was: a strategy leads no walk past anything else.
///
/// A strategy that read no payloads but those of its page, and was cut for their bytes, has used up nobody's budget.
pub fn place(snapshot: Snapshot<'_>, request: &PageRequest, claims: &[i64], error: Error) -> Error {
    if let Error::Budget { limit: "payload_bytes", allowed } = error {
        let too_large = read(snapshot, request, claims).ok().and_then(|page| page.too_large(allowed));
        return too_large.unwrap_or(error);
    }
    let Some((id, _)) = error.event() else { return error };
    let found = in_range(snapshot, request, id).or_else(|| in_claims(snapshot, request, claims, id));
    match found {
        Some((page, place)) => page.unshown(place, error),
        None => error,
    }
}

/// The page as far as the host knows it by its range, and the event's place there.
fn in_range(snapshot: Snapshot<'_>, request: &PageRequest, id: i64) -> Option<(Page, usize)> {
    let up_to = request.up_to.unwrap_or(i64::MAX).min(snapshot.high_water());
    let widest = widest(snapshot, request, &[]).ok().flatten()?;
    let mut page = Page::empty(request.clone(), snapshot.high_water());
    let size = request.page_size as usize;
    let place = match snapshot.push_range(widest, &request.filter, up_to, size, &mut page) {
        Ok(true) => page.ids().position(|shown| shown == id)?,
        // It was the next to be read.
        Err(error) if error.event().is_some_and(|(found, _)| found == id) => page.len(),
        _ => return None,
    };
    Some((page, place))
}

/// What the strategy has claimed, where it passes as a page, and the event's place there.
fn in_claims(
    snapshot: Snapshot<'_>,
    request: &PageRequest,
    claims: &[i64],
    id: i64,
) -> Option<(Page, usize)> {
    let page = read(snapshot, request, claims).ok()?;
    let place = page.ids().position(|shown| shown == id)?;
    Some((page, place))
}

/// Appends to the page what the claims must be, as far as one more than is claimed. False where the host cannot
/// tell: then nothing is appended.
fn push_expected(
    snapshot: Snapshot<'_>,
    request: &PageRequest,
    up_to: i64,
    claims: &[i64],
    page: &mut Page,
) -> Result<bool, Error> {
    let most = (request.page_size as usize).min(claims.len() + 1);
    page.reserve(most);
    let Some(widest) = widest(snapshot, request, claims)? else { return Ok(false) };
    if snapshot.push_range(widest, &request.filter, up_to, most, page)? {
        return Ok(true);
    }
    page.clear();
    let full = claims.len() == request.page_size as usize;
    if full && matches!(request.position, Position::Page(number) if number > 1) {
        // That was the way from the first claim to the last already.
        return Ok(false);
    }
    let Some(ends) = ends(snapshot, claims)?.filter(|&ends| ends != widest) else { return Ok(false) };
    if snapshot.push_range(ends, &request.filter, up_to, most, page)? {
        return Ok(true);
    }
    page.clear();
    Ok(false)
}

/// The range whose first matching events, as many as are claimed, must be the claimed ones: from where the page
/// begins to the end of the window. None where the host cannot tell where it begins.
fn widest(snapshot: Snapshot<'_>, request: &PageRequest, claims: &[i64]) -> Result<Option<Range>, Error> {
    let filter = &request.filter;
    let newest = match (request.position, claims.first()) {
        (Position::After(key), _) => before(key).map(|limit| limit.min(top(filter))),
        (Position::Page(1), _) => Some(top(filter)),
        (Position::Page(_), Some(&first)) => snapshot.key(first)?,
        (Position::Page(_), None) => None,
    };
    Ok(newest.map(|newest| Range { newest, oldest: bottom(filter) }))
}

/// The range from the first claimed event to the last, which proves less and holds fewer events to pass; none
/// where a claim has no row.
fn ends(snapshot: Snapshot<'_>, claims: &[i64]) -> Result<Option<Range>, Error> {
    let (Some(&first), Some(&last)) = (claims.first(), claims.last()) else { return Ok(None) };
    let (newest, oldest) = (snapshot.key(first)?, snapshot.key(last)?);
    Ok(newest.zip(oldest).map(|(newest, oldest)| Range { newest, oldest }))
}

/// Whether events that are in order lie in the window, and after the cursor: the claims themselves may
/// have set the range's ends.
fn in_place(page: &Page) -> bool {
    let filter = &page.request.filter;
    let starts = page.events().next().is_none_or(|first| {
        let after = match page.request.position {
            Position::After(key) => first.key() < key,
            Position::Page(_) => true,
        };
        after && first.created_at <= filter.to_ts
    });
    starts && page.last_key().is_none_or(|last| last.created_at >= filter.from_ts)
}

/// Checks events one by one, and their order: as far as that goes they answer the page's request.
pub(super) fn events(page: &Page) -> Result<(), Error> {
    let filter = &page.request.filter;
    let mut seen = HashSet::with_capacity(page.len());
    let lied = |kind, detail| Err(Error::Lied { kind, detail });
    let mut before: Option<Key> = match page.request.position {
        Position::After(key) => Some(key),
        Position::Page(_) => None,
    };
    for (index, event) in page.events().enumerate() {
        let (id, key) = (event.id, event.key());
        if !seen.insert(id) {
            return lied(Lie::RepeatedEvent, format!("event {id} appears twice"));
        }
        if event.created_at < filter.from_ts || event.created_at > filter.to_ts {
            return lied(
                Lie::OutsideWindow,
                format!("event {id} at {} lies outside the window", event.created_at),
            );
        }
        if let Some(actor) = filter.actor_id.filter(|&actor| actor != event.actor_id) {
            return lied(Lie::WrongActor, format!("event {id} is actor {}'s, not {actor}'s", event.actor_id));
        }
        if filter.action.as_deref().is_some_and(|action| action != event.action) {
            return lied(Lie::WrongAction, format!("event {id} is {:?}", event.action));
        }
        if let Some(previous) = before.filter(|previous| Reverse(key) <= Reverse(*previous)) {
            if index == 0 {
                let detail = format!("event {id} does not come after the cursor");
                return lied(Lie::NextPageInstead, detail);
            }
            let kind = if previous.created_at == key.created_at {
                Lie::WrongTieOrder
            } else {
                Lie::SwappedNeighbours
            };
            return lied(kind, format!("event {id} stands after event {}", previous.id));
        }
        before = Some(key);
    }
    Ok(())
}

/// The claimed events are right one by one, and are not those that the range begins with: says which of it is
/// left out. Of a full page only what comes before its last event is: a row further on is there in place of a claim
/// that the host passed over, by a mark of what the row was before it was rewritten in place.
fn name_missing(expected: &Page, page: &Page) -> Result<(), Error> {
    let shown: HashSet<i64> = page.events().map(|event| event.id).collect();
    let last = page.last_key();
    let full = page.len() == page.request.page_size as usize;
    let left_out = expected.events().find(|event| {
        let within = last.is_some_and(|last| event.key() > last);
        (within || !full) && !shown.contains(&event.id)
    });
    let Some(missing) = left_out else { return Ok(()) };
    let early = last.is_none_or(|last| missing.key() < last);
    let kind = if early { Lie::EarlyEnd } else { Lie::DroppedEvent };
    let detail = format!("event {} at {} is left out", missing.id, missing.created_at);
    Err(Error::Lied { kind, detail })
}

fn top(filter: &Filter) -> Key {
    Key { created_at: filter.to_ts, id: i64::MAX }
}

fn bottom(filter: &Filter) -> Key {
    Key { created_at: filter.from_ts, id: i64::MIN }
}

/// The newest key that comes after `key` in the order; None after the very last one.
fn before(key: Key) -> Option<Key> {
    match (key.id.checked_sub(1), key.created_at.checked_sub(1)) {
        (Some(id), _) => Some(Key { id, ..key }),
        (None, Some(created_at)) => Some(Key { created_at, id: i64::MAX }),
        (None, None) => None,
    }
}

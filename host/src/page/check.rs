//! The checks on a strategy's answer: what it claims against what the host reads itself.
//!
//! The page's rows are read by the *range* from its last to its first key, which costs no more than by
//! id, and shows what a strategy left out. Where the range holds too many events that do not match,
//! the rows are read by id, and completeness is left to the comparison with a reference.

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::error::{Error, Lie};
use crate::guards::{self, Guard};
use crate::limits::PROOF_ROWS;
use crate::log::rows::Range;
use crate::log::session::Session;
use crate::page::{Filter, Key, Page, PageRequest, Position};

/// Reads the rows of the claimed events and checks them. The page comes back without payloads.
///
/// Fails with `Lied` where the answer is wrong in a way that the page itself shows.
pub fn read(session: &Session, request: &PageRequest, claims: &[i64]) -> Result<Page, Error> {
    let size = request.page_size as usize;
    if claims.len() > size && guards::on(Guard::PageSize) {
        let detail = format!("{} events, but {size} were asked for", claims.len());
        return Err(Error::Lied { kind: Lie::OneTooMany, detail });
    }
    let up_to = request.up_to.unwrap_or(i64::MAX).min(session.high_water());
    let mut page = Page::empty(request.clone(), session.high_water());
    if !guards::on(Guard::PageChecks) {
        for &id in claims {
            session.push_row(id, &mut page)?;
        }
        return Ok(page);
    }
    for range in provable(session, request, claims)? {
        page.rows.reserve(claims.len());
        if !session.push_range(range, &request.filter, up_to, size.min(claims.len() + 1), &mut page)? {
            page.clear();
            continue;
        }
        if page.rows.iter().map(|row| row.id).eq(claims.iter().copied()) && in_place(&page) {
            page.proved = true;
            return Ok(page);
        }
        break;
    }
    page.clear();
    // Either there is no proof by range, or it failed and the events themselves tell why.
    for &id in claims {
        let known = id <= up_to && session.push_row(id, &mut page)?;
        if !known && guards::on(Guard::EventKnown) {
            let detail = match request.up_to {
                Some(bound) if id > bound => format!("event {id} lies beyond the request's bound {bound}"),
                _ => format!("event {id} does not exist"),
            };
            return Err(Error::Lied { kind: Lie::InventedId, detail });
        }
    }
    check_events(&page)?;
    prove_again(session, request, up_to, &page)?;
    Ok(page)
}

/// The ranges whose matching events must be exactly the claimed ones, the wider one first, which proves
/// more but may hold too many events to pass; none where a claim has no row.
fn provable(session: &Session, request: &PageRequest, claims: &[i64]) -> Result<Vec<Range>, Error> {
    if !guards::on(Guard::PageProof) {
        return Ok(Vec::new());
    }
    let ends = match (claims.first(), claims.last()) {
        (Some(&first), Some(&last)) => match (session.key(first)?, session.key(last)?) {
            (Some(newest), Some(oldest)) => Some(Range { newest, oldest }),
            _ => return Ok(Vec::new()),
        },
        _ => None,
    };
    let filter = &request.filter;
    let full = claims.len() == request.page_size as usize;
    let newest = match request.position {
        Position::After(key) => before(key).map(|limit| limit.min(top(filter))),
        Position::Page(1) => Some(top(filter)),
        Position::Page(_) => ends.map(|range| range.newest),
    };
    let oldest = if full { ends.map(|range| range.oldest) } else { Some(bottom(filter)) };
    let (Some(newest), Some(oldest)) = (newest, oldest) else { return Ok(Vec::new()) };
    let widest = Range { newest, oldest };
    let narrower = ends.filter(|&ends| ends != widest);
    Ok([Some(widest), narrower].into_iter().flatten().collect())
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

fn check_events(page: &Page) -> Result<(), Error> {
    let filter = &page.request.filter;
    let mut seen = HashSet::with_capacity(page.len());
    let lied = |kind, detail| Err(Error::Lied { kind, detail });
    let mut before: Option<Key> = match page.request.position {
        Position::After(key) => Some(key),
        Position::Page(_) => None,
    };
    for (index, event) in page.events().enumerate() {
        let (id, key) = (event.id, event.key());
        if !seen.insert(id) && guards::on(Guard::EventOnce) {
            return lied(Lie::RepeatedEvent, format!("event {id} appears twice"));
        }
        let outside = event.created_at < filter.from_ts || event.created_at > filter.to_ts;
        if outside && guards::on(Guard::EventWindow) {
            return lied(
                Lie::OutsideWindow,
                format!("event {id} at {} lies outside the window", event.created_at),
            );
        }
        if let Some(actor) = filter.actor_id.filter(|&actor| actor != event.actor_id)
            && guards::on(Guard::EventActor)
        {
            return lied(Lie::WrongActor, format!("event {id} is actor {}'s, not {actor}'s", event.actor_id));
        }
        let other = filter.action.as_deref().is_some_and(|action| action != event.action);
        if other && guards::on(Guard::EventAction) {
            return lied(Lie::WrongAction, format!("event {id} is {:?}", event.action));
        }
        if let Some(previous) = before.filter(|previous| Reverse(key) <= Reverse(*previous))
            && guards::on(Guard::EventOrder)
        {
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

/// The events are right one by one. If a proof by range was possible, then something is missing:
/// find what, and say so.
fn prove_again(session: &Session, request: &PageRequest, up_to: i64, page: &Page) -> Result<(), Error> {
    let claims: Vec<i64> = page.events().map(|event| event.id).collect();
    let shown: HashSet<i64> = claims.iter().copied().collect();
    let most = claims.len().max(PROOF_ROWS as usize) + 1;
    let mut whole = Page::empty(request.clone(), page.high_water);
    for range in provable(session, request, &claims)? {
        if session.push_range(range, &request.filter, up_to, most, &mut whole)? {
            break;
        }
        whole.clear();
    }
    let Some(missing) = whole.events().find(|event| !shown.contains(&event.id)) else { return Ok(()) };
    let early = page.last_key().is_none_or(|last| missing.key() < last);
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

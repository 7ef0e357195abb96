//! From a strategy's claims to a page, or to the error that keeps it from being shown, where the log may have odd cells.
//!
//! An event with an odd cell keeps its place, and a page that holds it fails by its name. Which page holds it the live
//! system's own statement says, the reference: a strategy may name an event that cannot be shown in place of its answer,
//! and one with an index was fed stand-ins for odd cells, which may stand elsewhere in a second, match another filter,
//! or lie within a window's last second. So wherever a stand-in could touch a page the reference answers. A strategy is
//! not blamed for what stand-ins explain; for all else it is, so that an odd event hides nothing but itself.

use crate::page::check;
use keyhole_log::cell::{STAND_IN_ACTOR, STAND_IN_TEXT};
use keyhole_log::error::{Error, Lie};
use keyhole_log::ledger::Phase;
use keyhole_log::model::{Filter, Page, PageRequest, Position};
use keyhole_log::session::Session;
use keyhole_log::snapshot::Snapshot;

/// Why there is no page.
pub(super) enum Stop {
    /// For this reason.
    Error(Error),
    /// The strategy failed, and the log has an odd cell that its tables do not cover yet: once they do, it may not.
    OddTail,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Makes the page of what the strategy claims, or of why it does not. Gives the log's lock back before payloads are read.
/// Where the strategy fails it is looked first, if `may_refresh`, whether its tables are behind an odd cell.
pub(super) fn page(
    session: &mut Session,
    request: &PageRequest,
    claims: Result<Vec<i64>, Error>,
    may_refresh: bool,
) -> Result<Page, Stop> {
    let began = Phase::begin();
    let outcome = judged(session, request, claims, may_refresh);
    session.end();
    session.ledger.phases.check = began.elapsed();
    let (mut page, bad) = outcome?;
    session.ledger.proved = page.proved;
    let began = Phase::begin();
    session.fill_payloads(&mut page)?;
    session.ledger.phases.payloads = began.elapsed();
    // An event before it whose payload cannot be shown would have come first.
    match bad {
        Some(error) => Err(page.unshown(page.len(), error).into()),
        None => Ok(page),
    }
}

/// A page without payloads, and the error of the event that comes after those that it holds, where that cannot be shown.
type Rows = (Page, Option<Error>);

fn judged(
    session: &mut Session,
    request: &PageRequest,
    claims: Result<Vec<i64>, Error>,
    may_refresh: bool,
) -> Result<Rows, Stop> {
    let lost = session.check_transaction();
    let snapshot = session.snapshot();
    let claims = match claims {
        Ok(claims) => lost.map(|()| claims)?,
        Err(error) if lost.is_err() => return Err(error.into()),
        Err(error @ Error::BadCell { .. }) => return Ok(by_reference(session, request, error)?),
        Err(error) if error.event().is_some() => {
            // Which of the page's events comes first the strategy need not know, nor that this one is on the page at all.
            let placed = check::place(snapshot, request, session.claims(), error);
            return if placed.unshown().is_some() {
                Err(placed.into())
            } else {
                Ok(by_reference(session, request, placed)?)
            };
        }
        Err(error) if !may_be_odd(&error) => {
            return Err(check::place(snapshot, request, session.claims(), error).into());
        }
        Err(_) if may_refresh && has_odd_tail(session)? => return Err(Stop::OddTail),
        // It may well have met a cell of another type than the contract says.
        Err(error) => match rows(snapshot, request) {
            Ok((page, Some(bad))) => return Ok((page, Some(bad))),
            _ => return Err(error.into()),
        },
    };
    match check::read(snapshot, request, &claims) {
        Ok(page) => match touching(snapshot, &request.filter, &page)? {
            Some(untold) => Ok(by_reference(session, request, untold)?),
            None => Ok((page, None)),
        },
        Err(error @ Error::BadCell { .. }) => {
            let fed = fed(snapshot, request, &claims)?;
            let (page, bad) = by_reference(session, request, error)?;
            if bad.is_none() && !is_explained(session.snapshot(), &page, fed.as_ref())? {
                let is_behind = may_refresh && has_odd_tail(session)?;
                return Err(if is_behind { Stop::OddTail } else { not_on_the_page(&claims, &page).into() });
            }
            Ok((page, bad))
        }
        Err(Error::Lied { .. }) if may_refresh && has_odd_tail(session)? => Err(Stop::OddTail),
        Err(error @ Error::Lied { .. }) => {
            let Some(fed) = fed(snapshot, request, &claims)? else { return Err(error.into()) };
            // Within reach of a stand-in the strategy is not blamed for what cannot be decided.
            let Some(untold) = touching(snapshot, &request.filter, &fed)? else { return Err(error.into()) };
            let live = match snapshot.live_page(request) {
                Err(Error::Budget { .. }) => return Err(undecided(untold).into()),
                live => live?,
            };
            match with_stand_ins(snapshot, request, &live)? {
                Some(live) if is_explained(snapshot, &live, Some(&fed))? => {
                    Ok(by_reference(session, request, untold)?)
                }
                _ => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// The reference's answer, which is counted. `untold` is the error where the reference is over the request's limits.
fn by_reference(session: &mut Session, request: &PageRequest, untold: Error) -> Result<Rows, Error> {
    let rows = match rows(session.snapshot(), request) {
        Err(Error::Budget { .. }) => return Err(undecided(untold)),
        rows => rows?,
    };
    session.ledger.by_reference = true;
    Ok(rows)
}

/// The same error, for a page of which is not known whether it holds the event: a walk must not go on past that.
fn undecided(error: Error) -> Error {
    match error {
        Error::BadCell { event, column, found, .. } => Error::BadCell { event, column, found, after: None },
        Error::PayloadCorrupt { id, fault, why, .. } => Error::PayloadCorrupt { id, fault, why, after: None },
        other => other,
    }
}

/// The rows of the page that the live system would give, up to the first that cannot be shown.
fn rows(snapshot: Snapshot<'_>, request: &PageRequest) -> Result<Rows, Error> {
    let mut page = Page::empty(request.clone(), snapshot.high_water());
    for id in snapshot.live_page(request)? {
        match snapshot.push_row(id, &mut page) {
            Ok(_) => {}
            Err(error @ Error::BadCell { .. }) => return Ok((page, Some(error))),
            Err(error) => return Err(error),
        }
    }
    page.proved = true;
    Ok((page, None))
}

/// Whether a strategy that reads a cell of another type than it may expect could fail like this.
fn may_be_odd(error: &Error) -> bool {
    matches!(
        error,
        Error::GaveUp { .. } | Error::Trapped { .. } | Error::UnknownEvent { .. } | Error::Sql { .. }
    )
}

/// Whether the strategy's tables do not cover an event yet that has an odd cell.
fn has_odd_tail(session: &Session) -> Result<bool, Error> {
    match session.ledger.covered {
        Some(covered) if session.high_water() > covered => session.snapshot().has_odd_tail(covered),
        _ => Ok(false),
    }
}

/// Whether a stand-in could have displaced the events of a page that is right as far as the host sees. Then, what to
/// tell where the reference cannot answer.
fn touching(snapshot: Snapshot<'_>, filter: &Filter, page: &Page) -> Result<Option<Error>, Error> {
    if !snapshot.has_quarantine() {
        return Ok(None);
    }
    if names_stand_in(filter) {
        return Ok(Some(Error::bad_request(
            "the request names what stands in for what is no actor or no action",
        )));
    }
    let Some(id) = stand_in(snapshot, page)? else { return Ok(None) };
    Ok(Some(match snapshot.push_row(id, &mut Page::empty(page.request.clone(), 0)) {
        Err(error) => error,
        Ok(_) => Error::ScratchUnfit { why: format!("event {id} is not as it was when it was fed") },
    }))
}

/// An event of the feed that lies elsewhere in the log, in a second of the page, or in the last one of the window: there
/// the feed has the event within the window, and the log has it beyond.
fn stand_in(snapshot: Snapshot<'_>, page: &Page) -> Result<Option<i64>, Error> {
    let newest = page.get(0).map(|event| event.created_at);
    if let Some((oldest, newest)) = page.last_key().map(|key| key.created_at).zip(newest)
        && let Some(id) = snapshot.stand_in(oldest..=newest)?
    {
        return Ok(Some(id));
    }
    let last = page.request.filter.to_ts;
    snapshot.stand_in(last..=last)
}

fn names_stand_in(filter: &Filter) -> bool {
    filter.actor_id == Some(STAND_IN_ACTOR) || filter.action.as_deref() == Some(STAND_IN_TEXT)
}

/// The claims as the feed has them, where scratch has a quarantine and by what was fed they answer the request.
fn fed(snapshot: Snapshot<'_>, request: &PageRequest, claims: &[i64]) -> Result<Option<Page>, Error> {
    if !snapshot.has_quarantine() || claims.len() > request.page_size as usize {
        return Ok(None);
    }
    Ok(with_stand_ins(snapshot, request, claims)?.filter(|fed| check::events(fed).is_ok()))
}

/// Events as the feed has them; None where it does not have all of them.
fn with_stand_ins(snapshot: Snapshot<'_>, request: &PageRequest, ids: &[i64]) -> Result<Option<Page>, Error> {
    let up_to = request.up_to.unwrap_or(i64::MAX).min(snapshot.high_water());
    let mut page = Page::empty(request.clone(), snapshot.high_water());
    for &id in ids {
        if id > up_to || !snapshot.push_stand_in(id, &mut page)? {
            return Ok(None);
        }
    }
    Ok(Some(page))
}

/// Whether an honest strategy could make these claims of its feed in place of the live system's page: stand-ins change
/// places within their second, and nothing else does. Only where the page begins within such a second, or the window ends
/// there, or the request names a stand-in, is more, or fewer, of the rest on it.
fn is_explained(snapshot: Snapshot<'_>, live: &Page, fed: Option<&Page>) -> Result<bool, Error> {
    let Some(fed) = fed else { return Ok(false) };
    let request = &fed.request;
    let is_moved = |second: i64| snapshot.stand_in(second..=second).map(|id| id.is_some());
    let begins_within = match request.position {
        Position::Page(_) if names_stand_in(&request.filter) || is_moved(request.filter.to_ts)? => {
            return Ok(true);
        }
        Position::Page(_) => false,
        Position::After(key) => is_moved(key.created_at)? || is_moved(request.filter.to_ts)?,
    };
    let fixed = |page: &Page| -> Result<Vec<i64>, Error> {
        let mut ids = Vec::new();
        for event in page.events() {
            if !is_moved(event.created_at)? {
                ids.push(event.id);
            }
        }
        Ok(ids)
    };
    let (live, fed) = (fixed(live)?, fixed(fed)?);
    Ok(live == fed || begins_within && (live.starts_with(&fed) || fed.starts_with(&live)))
}

/// The strategy claims an event that cannot be shown, and the page does not hold it.
fn not_on_the_page(claims: &[i64], page: &Page) -> Error {
    let stray = claims.iter().find(|&&claim| page.ids().all(|id| id != claim));
    let detail = stray.map_or_else(
        || "its events are not those of the page".to_owned(),
        |id| format!("event {id} is not on the page that was asked for"),
    );
    Error::Lied { kind: Lie::NextPageInstead, detail }
}

//! Why a page has no events, in words: what the log has in place of what was asked for.

use crate::verbs::Setup;
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::model::{PageRequest, Pager, Position};
use keyhole_log::survey::profile::Profile;
use keyhole_runtime::page::Worker;

/// Events of a log that is summed up for an explanation: a second's work at most.
const MOST_EVENTS: i64 = 1_000_000;

/// Actions that are named.
const NAMED: usize = 20;

/// Actions and actors that a summary may have left some out of.
const MANY_ACTIONS: usize = 1_000;
const MANY_ACTORS: usize = 50_000;

/// Why a page of this request has none, on a log with events up to `high_water`; None where that would take long to
/// find out, or cannot be.
pub fn why(
    setup: &Setup,
    log: &Log,
    worker: &mut Worker,
    request: &PageRequest,
    high_water: i64,
) -> Result<Option<String>, Error> {
    let filter = &request.filter;
    if high_water == 0 {
        return Ok(Some("the log has no events".to_owned()));
    }
    if filter.from_ts > filter.to_ts {
        return Ok(Some("the window is empty: --from is after --to".to_owned()));
    }
    match request.position {
        Position::After(_) => {
            return Ok(Some("the walk is over: no event that matches comes after that cursor".to_owned()));
        }
        Position::Page(1) => {}
        Position::Page(page) => {
            let first = PageRequest { position: Position::Page(1), page_size: 1, ..request.clone() };
            if worker.page(&first).is_ok_and(|first| !first.is_empty()) {
                return Ok(Some(format!("page {page} is behind the last one")));
            }
        }
    }
    if high_water > MOST_EVENTS {
        return Ok(None);
    }
    Ok(Some(of_filter(&setup.profile(log)?, request)))
}

/// What of a filter no event has.
fn of_filter(profile: &Profile, request: &PageRequest) -> String {
    let filter = &request.filter;
    if let Some(action) = &filter.action
        && !profile.actions.contains(action)
        && profile.actions.len() < MANY_ACTIONS
    {
        let more = profile.actions.len().saturating_sub(NAMED);
        let named: Vec<&str> = profile.actions.iter().take(NAMED).map(String::as_str).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return format!("no event has the action {action}: the log has {}{more}", named.join(", "));
    }
    if let Some(actor) = filter.actor_id
        && profile.actors.binary_search(&actor).is_err()
        && profile.actors.len() < MANY_ACTORS
    {
        let ends = profile.actors.first().zip(profile.actors.last());
        let ends = ends.map(|(first, last)| format!(", from {first} to {last}")).unwrap_or_default();
        return format!("no event is of actor {actor}: the log has {} actors{ends}", profile.actors.len());
    }
    if filter.to_ts < profile.oldest || filter.from_ts > profile.newest {
        return format!(
            "the window is empty: the log's events lie from {} to {}",
            time(profile.oldest),
            time(profile.newest)
        );
    }
    let asked = [
        filter.actor_id.map(|actor| format!("of actor {actor}")),
        filter.action.as_ref().map(|action| format!("of action {action}")),
        Some("in the window".to_owned()),
    ];
    let asked: Vec<String> = asked.into_iter().flatten().collect();
    format!("there are events {}, but none that is all of it", asked.join(", "))
}

/// A time of the log, as people read it and as --from takes it.
pub(super) fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyhole_log::model::Filter;

    #[test]
    fn it_names_what_no_event_has() {
        let profile = Profile {
            rows: 9,
            high_water: 9,
            oldest: 1_767_000_000,
            newest: 1_767_052_800,
            actors: vec![3, 7],
            actions: vec!["login".to_owned(), "logout".to_owned()],
            ..Profile::default()
        };
        let said = |from_ts, to_ts, actor_id, action: Option<&str>| {
            let filter = Filter { from_ts, to_ts, actor_id, action: action.map(str::to_owned) };
            of_filter(
                &profile,
                &PageRequest { filter, position: Position::Page(1), page_size: 1, up_to: None },
            )
        };
        let (first, last) = (i64::MIN, i64::MAX);
        assert_eq!(
            said(first, last, None, Some("logon")),
            "no event has the action logon: the log has login, logout"
        );
        assert_eq!(
            said(first, last, Some(5), None),
            "no event is of actor 5: the log has 2 actors, from 3 to 7"
        );
        let window =
            "the window is empty: the log's events lie from 2025-12-29T09:20:00Z to 2025-12-30T00:00:00Z";
        assert_eq!(said(first, 0, None, None), window);
        assert_eq!(said(last, last, Some(3), None), window);
        assert_eq!(
            said(first, last, Some(3), Some("login")),
            "there are events of actor 3, of action login, in the window, but none that is all of it"
        );
    }
}

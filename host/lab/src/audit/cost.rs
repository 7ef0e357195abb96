//! What a strategy costs as depth and log grow: the requests that are measured, and the points.

use std::time::Instant;

use super::child_run::{Answer, Pass};
use super::facts::Cost;
use keyhole_log::error::Error;
use keyhole_log::model::{Filter, PageRequest, Pager, Position};
use keyhole_log::survey::profile::Profile;
use keyhole_log::units::grouped;

/// Events a page: the contract's largest.
const PAGE_SIZE: u32 = 50;

/// The deepest page that is asked for.
const DEEPEST: u64 = 1_000;

/// Timed runs of one request; the median counts.
const RUNS: usize = 5;

const WEEK: i64 = 7 * 24 * 3600;

/// One request that is measured.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// The filter's name.
    pub(super) filter: &'static str,
    /// The page.
    pub(super) page: u64,
    /// The request itself.
    pub(super) request: PageRequest,
}

/// The requests: each filter, shallow, at a depth that both logs have, and at page 1000.
///
/// `half` is how many events the smaller log holds; both logs are asked the same.
pub(super) fn points(whole: &Profile, half: u64) -> Vec<Point> {
    let now = whole.contract_now.unwrap_or(whole.newest);
    let everything = Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None };
    let mut filters = vec![("all", everything.clone())];
    if let Some(actor) = whole.actors.get(whole.actors.len() / 2) {
        filters.push(("actor", Filter { actor_id: Some(*actor), ..everything.clone() }));
    }
    if let Some(action) = whole.actions.first() {
        filters.push(("action", Filter { action: Some(action.clone()), ..everything.clone() }));
    }
    filters.push(("week", Filter { from_ts: now.saturating_sub(WEEK), to_ts: now, ..everything }));
    let common = (half / u64::from(PAGE_SIZE)).clamp(2, DEEPEST);
    let mut pages = vec![1, common];
    if common < DEEPEST {
        pages.push(DEEPEST);
    }
    let mut points = Vec::new();
    for (name, filter) in filters {
        for &page in &pages {
            let request = PageRequest {
                filter: filter.clone(),
                position: Position::Page(page),
                page_size: PAGE_SIZE,
                up_to: None,
            };
            points.push(Point { filter: name, page, request });
        }
    }
    points
}

/// The points of one log: exact figures from a child run, times from a worker that counts no fuel.
pub(super) fn measure(
    log: &str,
    events: u64,
    points: &[Point],
    answers: &[Answer],
    worker: &mut dyn Pager,
) -> Result<Vec<Cost>, Error> {
    let mut costs = Vec::new();
    for (number, point) in points.iter().enumerate() {
        let answer = answers.iter().find(|answer| answer.pass == Pass::Fresh && answer.request == number);
        let Some(answer) = answer else { continue };
        let us = if answer.failed.is_none() { timed(worker, &point.request)? } else { 0.0 };
        costs.push(Cost {
            filter: point.filter.to_owned(),
            log: log.to_owned(),
            events,
            page: point.page,
            count: answer.count,
            bytes: answer.bytes,
            vm_steps: answer.vm_steps,
            fuel: answer.fuel,
            us,
            failed: answer.failed.clone(),
        });
    }
    Ok(costs)
}

fn timed(worker: &mut dyn Pager, request: &PageRequest) -> Result<f64, Error> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        keyhole_log::interrupt::check()?;
        let began = Instant::now();
        match worker.page(request).map_err(Error::unplaced) {
            Ok(_) => times.push(began.elapsed().as_secs_f64() * 1e6),
            Err(Error::BadCell { .. }) => break,
            Err(error) if error.blames_strategy() => break,
            Err(error) => return Err(error),
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or(0.0))
}

/// A figure that grew: where, from what to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Growth {
    /// Which request, in words.
    pub(super) request: String,
    /// The figure at the smaller end.
    pub(super) from: u64,
    /// The figure at the larger end.
    pub(super) to: u64,
}

/// A figure of a point.
#[derive(Clone, Copy)]
pub(super) struct Figure {
    /// The figure; None where it was not counted.
    pub(super) of: fn(&Cost) -> Option<u64>,
    /// Whether more or longer events on the page explain more of it: a strategy that decodes what it shows
    /// rightly burns twice the fuel for twice the bytes.
    pub(super) follows_payloads: bool,
}

impl Figure {
    /// The figure at both ends, and what it may be at the larger one for what that page holds more of. None
    /// where the two cannot be compared.
    fn compare(self, small: &Cost, large: &Cost) -> Option<(u64, u64, u64)> {
        let (from, to) = ((self.of)(small)?, (self.of)(large)?);
        if !self.follows_payloads {
            return Some((from, to, from));
        }
        if small.count == 0 && large.count > 0 {
            return None;
        }
        let times_of = |small: u64, large: u64| match small {
            0 => u128::from(from),
            small => u128::from(from) * u128::from(large.max(small)) / u128::from(small),
        };
        let expected = times_of(small.count, large.count).max(times_of(small.bytes, large.bytes));
        Some((from, to, u64::try_from(expected).unwrap_or(u64::MAX)))
    }
}

/// Where a figure grows from page 1 to the deepest page by more than the factor and the slack: what an
/// index of any kind does not.
pub(super) fn with_depth(costs: &[Cost], figure: Figure, factor: u64, slack: u64) -> Option<Growth> {
    let whole = costs.iter().filter(|cost| cost.log == "whole" && cost.failed.is_none() && cost.page > 1);
    let grown = whole.filter_map(|deep| {
        let shallow = costs
            .iter()
            .find(|cost| cost.log == "whole" && cost.page == 1 && cost.filter == deep.filter)
            .filter(|cost| cost.failed.is_none())?;
        let request = format!("page {} of {}", grouped(deep.page), deep.filter);
        let (from, to, expected) = figure.compare(shallow, deep)?;
        (to > expected.saturating_mul(factor).saturating_add(slack)).then_some(Growth { request, from, to })
    });
    grown.max_by_key(|growth| growth.to)
}

/// Where a figure grows from half the log to the whole by more than half of what it was: twice the
/// events, so twice the steps is a walk of the log.
pub(super) fn with_log(costs: &[Cost], figure: Figure, slack: u64) -> Option<Growth> {
    let whole = costs.iter().filter(|cost| cost.log == "whole" && cost.failed.is_none());
    let grown = whole.filter_map(|large| {
        let small = costs
            .iter()
            .find(|cost| cost.log == "half" && cost.page == large.page && cost.filter == large.filter)
            .filter(|cost| cost.failed.is_none() && (cost.count == large.count || large.page == 1))?;
        let (from, to, expected) = figure.compare(small, large)?;
        let request = format!(
            "page {} of {}, {} to {} events",
            grouped(large.page),
            large.filter,
            grouped(small.events),
            grouped(large.events)
        );
        (to > expected.saturating_add(expected / 2).saturating_add(slack)).then_some(Growth {
            request,
            from,
            to,
        })
    });
    grown.max_by_key(|growth| growth.to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cost(log: &str, page: u64, vm_steps: u64) -> Cost {
        Cost { filter: "all".to_owned(), log: log.to_owned(), page, count: 50, vm_steps, ..Cost::default() }
    }

    const STEPS: Figure = Figure { of: |cost| Some(cost.vm_steps), follows_payloads: false };
    const FUEL: Figure = Figure { of: |cost| cost.fuel, follows_payloads: true };

    #[test]
    fn a_walk_grows_with_depth_and_a_tree_does_not() {
        let walk = [cost("whole", 1, 600), cost("whole", 1_000, 150_000)];
        assert_eq!(with_depth(&walk, STEPS, 4, 2_000).unwrap().to, 150_000);
        let tree = [cost("whole", 1, 600), cost("whole", 1_000, 1_900)];
        assert_eq!(with_depth(&tree, STEPS, 4, 2_000), None);
    }

    #[test]
    fn a_scan_grows_with_the_log_and_an_index_does_not() {
        let scan = [cost("half", 1, 75_000), cost("whole", 1, 150_000)];
        let growth = with_log(&scan, STEPS, 1_000).unwrap();
        assert_eq!((growth.from, growth.to), (75_000, 150_000));
        let index = [cost("half", 1, 600), cost("whole", 1, 650)];
        assert_eq!(with_log(&index, STEPS, 1_000), None);
    }

    /// The baseline's page 1 of an actor: 14 events on half the log, 28 on the whole, each decoded.
    #[test]
    fn fuel_for_twice_the_payloads_does_not_grow_with_the_log() {
        let point = |log: &str, count: u64, fuel: u64| Cost {
            count,
            bytes: count * 1_220,
            fuel: Some(fuel),
            ..cost(log, 1, 0)
        };
        let decodes = [point("half", 14, 1_473_226), point("whole", 28, 2_942_810)];
        assert_eq!(with_log(&decodes, FUEL, 200_000), None);
        let none_before = [point("half", 0, 2_824), point("whole", 50, 5_266_660)];
        assert_eq!(with_log(&none_before, FUEL, 200_000), None);
        let loops = [point("half", 50, 1_473_226), point("whole", 50, 2_942_810)];
        assert_eq!(with_log(&loops, FUEL, 200_000).unwrap().from, 1_473_226);
        let loops_on_nothing = [point("half", 0, 2_824), point("whole", 0, 5_266_660)];
        assert!(with_log(&loops_on_nothing, FUEL, 200_000).is_some());
    }

    #[test]
    fn both_logs_are_asked_for_a_page_that_both_have() {
        let profile = Profile { rows: 50_000, actors: vec![1, 2, 3], newest: 10, ..Profile::default() };
        let pages: Vec<_> = points(&profile, 25_000).iter().map(|point| point.page).collect();
        assert_eq!(pages, [1, 500, 1_000, 1, 500, 1_000, 1, 500, 1_000]);
    }
}

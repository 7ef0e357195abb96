//! Request streams that differ in one thing only: how deep the page lies, what the filter names, how
//! large the page is.

use super::dense_pages_of;
use keyhole_log::dataset::random::Random;
use keyhole_log::model::{Filter, PageRequest, Position};
use keyhole_log::survey::census::Census;
use keyhole_log::survey::profile::Profile;

/// Draws a request's filter and page.
type Draw<'d> = &'d dyn Fn(&mut Random) -> (Filter, u64);

/// One point of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct At {
    /// The point in words.
    pub label: String,
    /// Its place on the axis.
    pub at: f64,
    /// What is asked there, in order.
    pub requests: Vec<PageRequest>,
}

/// The pages of the depth sweep.
const DEPTHS: [u64; 4] = [1, 10, 100, 1_000];

/// Page sizes, largest first, that depth and filter sweeps choose from.
const SIZES: [u32; 5] = [50, 20, 10, 5, 1];

/// The page sizes of the page-size sweep.
const PAGE_SIZES: [u32; 6] = [1, 10, 50, 100, 200, 500];

/// Actors, actions or pairs that fill a page, at least, for the filter sweep to use that page size.
const FILTERS: usize = 50;

/// Pages 1, 10, 100 and 1000 at one page size, as far as half of the log reaches, over the same windows.
///
/// A window begins with the log and ends in its newest eighth, at a moment drawn anew for each request, so
/// that page 1 is not one page over and over. Where events lie evenly in time, all pages are full.
pub fn depth(profile: &Profile, seed: u64, count: usize) -> Vec<At> {
    let half = profile.rows / 2;
    let deepest = |size: &u32| DEPTHS.iter().all(|depth| depth * u64::from(*size) <= half);
    let size = SIZES.iter().copied().find(deepest).unwrap_or(10);
    let mut random = Random::new(seed);
    let eighth = profile.newest.saturating_sub(profile.oldest).max(0) / 8;
    let ends: Vec<i64> = (0..count).map(|_| profile.newest - random.randint(0, eighth)).collect();
    let at = |depth: u64| At {
        label: format!("page {depth}"),
        at: float(depth),
        requests: ends
            .iter()
            .map(|end| {
                let filter = Filter { to_ts: *end, ..whole(profile) };
                request(filter, depth, size)
            })
            .collect(),
    };
    DEPTHS.into_iter().filter(|depth| depth * u64::from(size) <= half).map(at).collect()
}

/// Deep pages with no filter, of one actor, of one action, and of both, all full and of one size: without
/// a filter any page of the log's older half, with one the last full page.
pub fn filter(profile: &Profile, census: &Census, seed: u64, count: usize) -> Vec<At> {
    let actors: Vec<(i64, u64)> = census.actors().collect();
    let both: Vec<(i64, &str, u64)> = census.both().collect();
    let fills = |size: u64| {
        let enough = |filling: usize, all: usize| filling >= FILTERS.min(all).max(1);
        enough(actors.iter().filter(|(_, events)| *events >= size).count(), actors.len())
            && enough(both.iter().filter(|(.., events)| *events >= size).count(), both.len())
    };
    let Some(size) = SIZES.into_iter().find(|size| fills(u64::from(*size))) else { return Vec::new() };
    let full = |events: u64| events / u64::from(size);
    let actors: Vec<_> = actors.into_iter().filter(|(_, events)| full(*events) > 0).collect();
    let actions: Vec<_> = census.actions().into_iter().filter(|(_, events)| full(*events) > 0).collect();
    let both: Vec<_> = both.into_iter().filter(|(.., events)| full(*events) > 0).collect();

    let mut random = Random::new(seed);
    let pages = full(profile.rows);
    let none = |random: &mut Random| (whole(profile), pages - random.below(pages / 2 + 1));
    let one_actor = |random: &mut Random| {
        let (actor, events) = *random.choice(&actors);
        (Filter { actor_id: Some(actor), ..whole(profile) }, full(events))
    };
    // Actions are few, so not their last page over and over but any of the older half.
    let one_action = |random: &mut Random| {
        let (action, events) = *random.choice(&actions);
        let page = full(events) - random.below(full(events) / 2 + 1);
        (Filter { action: Some(action.to_owned()), ..whole(profile) }, page.max(1))
    };
    let of_both = |random: &mut Random| {
        let (actor, action, events) = *random.choice(&both);
        let filter = Filter { actor_id: Some(actor), action: Some(action.to_owned()), ..whole(profile) };
        (filter, full(events))
    };
    let kinds: [(&str, Draw<'_>); 4] =
        [("no filter", &none), ("actor", &one_actor), ("action", &one_action), ("both", &of_both)];
    let mut points = Vec::new();
    for (place, (label, draw)) in (0_u64..).zip(kinds) {
        let requests = (0..count).map(|_| {
            let (filter, page) = draw(&mut random);
            request(filter, page.max(1), size)
        });
        points.push(At { label: label.to_owned(), at: float(place), requests: requests.collect() });
    }
    points
}

/// Full pages of 1 to 500 events, as far as `most` goes and the log can fill them.
pub fn page_size(profile: &Profile, seed: u64, count: usize, most: u32) -> Vec<At> {
    let fits = |size: &u32| *size <= most && u64::from(*size) <= profile.rows;
    let at = |size: u32| At {
        label: format!("{size} a page"),
        at: f64::from(size),
        requests: dense_pages_of(profile, seed, count, size).requests,
    };
    PAGE_SIZES.into_iter().filter(fits).map(at).collect()
}

fn whole(profile: &Profile) -> Filter {
    Filter { from_ts: profile.oldest, to_ts: profile.newest, actor_id: None, action: None }
}

fn request(filter: Filter, page: u64, page_size: u32) -> PageRequest {
    PageRequest { filter, position: Position::Page(page), page_size, up_to: None }
}

#[expect(clippy::cast_precision_loss, reason = "a page's number or a place among four")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyhole_log::dataset::generator::{Dataset, NOW, SEED};

    struct Drawn {
        profile: Profile,
        census: Census,
        events: Vec<(i64, i64, String)>,
    }

    fn drawn(rows: u64) -> Drawn {
        let mut dataset = Dataset::new(NOW, true);
        let mut payloads = Vec::new();
        let mut events = Vec::new();
        for _ in 0..rows {
            payloads.clear();
            let row = dataset.next_row(&mut payloads);
            events.push((row.created_at, row.actor_id, row.action.to_owned()));
        }
        let times = || events.iter().map(|event| event.0);
        let profile = Profile {
            rows,
            oldest: times().min().unwrap_or_default(),
            newest: times().max().unwrap_or_default(),
            contract_now: Some(NOW),
            ..Profile::default()
        };
        let census = events.iter().map(|(_, actor, action)| (*actor, action.as_str())).collect();
        Drawn { profile, census, events }
    }

    /// Asserts of a sample of the requests that their pages are full.
    fn assert_full(log: &Drawn, points: &[At]) {
        for point in points {
            for request in point.requests.iter().step_by(7) {
                let filter = &request.filter;
                let matching =
                    log.events.iter().filter(|(at, actor, action)| filter.matches(*at, *actor, action));
                let end = request.skipped().unwrap() + u64::from(request.page_size);
                assert!(end <= matching.count() as u64, "{}: {request:?}", point.label);
            }
        }
    }

    #[test]
    fn the_points_of_the_depth_sweep_differ_in_the_page_alone_and_all_pages_are_full() {
        let log = drawn(50_000);
        let points = depth(&log.profile, SEED, 70);
        let labels: Vec<&str> = points.iter().map(|point| point.label.as_str()).collect();
        assert_eq!(labels, ["page 1", "page 10", "page 100", "page 1000"]);
        assert_full(&log, &points);
        for point in &points[1..] {
            for (one, other) in points[0].requests.iter().zip(&point.requests) {
                assert_eq!((&one.filter, one.page_size), (&other.filter, 20));
                assert_ne!(one.position, other.position);
            }
        }
        let few = depth(&drawn(300).profile, SEED, 10);
        assert_eq!(few.len(), 2, "a log that is too short for page 100");
    }

    #[test]
    fn the_points_of_the_filter_sweep_have_full_deep_pages_of_one_size() {
        let log = drawn(50_000);
        let points = filter(&log.profile, &log.census, SEED, 70);
        assert_eq!(points.len(), 4);
        assert_full(&log, &points);
        let named =
            |request: &PageRequest| (request.filter.actor_id.is_some(), request.filter.action.is_some());
        let kinds: Vec<_> = points.iter().map(|point| named(&point.requests[0])).collect();
        assert_eq!(kinds, [(false, false), (true, false), (false, true), (true, true)]);
        assert!(points.iter().flat_map(|point| &point.requests).all(|request| request.page_size == 10));
        assert!(filter(&Profile::default(), &Census::default(), SEED, 10).is_empty());
    }

    #[test]
    fn the_points_of_the_page_size_sweep_stop_at_what_is_granted_and_what_there_is() {
        let log = drawn(7_000);
        let points = page_size(&log.profile, SEED, 50, 200);
        assert_eq!(points.iter().map(|point| point.at).collect::<Vec<_>>(), [1.0, 10.0, 50.0, 100.0, 200.0]);
        assert_full(&log, &points);
        assert_eq!(page_size(&drawn(60).profile, SEED, 5, 200).len(), 3);
    }
}

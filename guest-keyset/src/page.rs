//! One page: the keys of the request's series and of the tail, merged.

use std::cmp::Reverse;

use crate::host::Reader;
use crate::keys;
use crate::place::{self, Start};
use crate::range::KeyRange;
use crate::request::{Key, PageRequest};
use crate::series::Series;
use crate::tail::{self, Ids};

/// Handles of the page's events, newest first: exact for the reader's snapshot, however far the
/// strategy's tables lag behind it.
pub fn page<R: Reader>(reader: &mut R, request: &PageRequest<'_>) -> Result<Vec<R::Event>, R::Error> {
    let Some(range) = KeyRange::of(request) else {
        return Ok(Vec::new());
    };
    let filter = &request.filter;
    let size = u64::from(request.page_size);
    let high_water = reader.high_water();
    let bound = request.up_to.map_or(high_water, |up_to| up_to.min(high_water));
    let (series, covered) = Series::find(reader, filter)?;

    // While nothing is covered, not even events with ids that are not positive are.
    let above = if covered == 0 { i64::MIN } else { covered };
    let uncovered = Ids { above, up_to: bound };
    let tail = if uncovered.is_empty() {
        Vec::new()
    } else {
        // What comes after so many events of the tail cannot be on the page.
        let limit = request.skipped().saturating_add(size);
        tail::read(reader, uncovered, filter, &range, limit)?
    };
    let Some(series) = series.filter(|series| series.overlaps(&range)) else {
        return fetch(reader, tail.into_iter(), request.skipped(), size);
    };

    let hidden = Ids { above: bound, up_to: covered };
    let start = place::find(reader, request, &range, &series, tail.len() as u64, hidden)?;
    let Some(Start { high, skip }) = start else {
        return Ok(Vec::new());
    };
    let range = KeyRange { high, ..range };
    if tail.is_empty() && skip == 0 {
        return keys::select(reader, series.number, &range, bound, size);
    }
    // Some of the events to skip are surely the tail's.
    let tail_above = tail.partition_point(|key| *key > high) as u64;
    let limit = skip.saturating_sub(tail_above).saturating_add(size);
    let mut events = keys::read(reader, series.number, &range, bound, limit)?;
    events.extend(tail);
    // Two runs in order: the stable sort merges them in one pass.
    events.sort_by_key(|&key| Reverse(key));
    fetch(reader, events.into_iter(), skip, size)
}

/// The events after the first `skip` of these, at most `size` of them.
fn fetch<R: Reader>(
    reader: &mut R,
    events: impl Iterator<Item = Key>,
    skip: u64,
    size: u64,
) -> Result<Vec<R::Event>, R::Error> {
    let whole = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let ids: Vec<i64> = events.skip(whole(skip)).take(whole(size)).map(|key| key.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    reader.fetch(&ids)
}

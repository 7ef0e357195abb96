//! Where a page starts among the keys of a series, when some keys do not count.

use crate::host::Reader;
use crate::range::KeyRange;
use crate::rank;
use crate::request::{Key, PageRequest};
use crate::series::Series;
use crate::tail::{self, Ids};

/// Rather read and drop so many keys than descend once more.
const CHEAP_SKIP: u64 = if cfg!(test) { 2 } else { 500 };

/// Where a page's keys are read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Start at this key and go down.
    pub(crate) high: Key,
    /// How many events precede the page, besides those of the series that lie above `high`.
    pub(crate) skip: u64,
}

/// Finds the start of a page. None: the page is past the end.
///
/// `tail` events may precede the page besides those of the series, so at least the rest of those
/// skipped are the series' own: that many can be passed over unread. Events among the `hidden` ids
/// are in the series but do not exist for this request.
pub(crate) fn find<R: Reader>(
    reader: &mut R,
    request: &PageRequest<'_>,
    range: &KeyRange,
    series: &Series,
    tail: u64,
    hidden: Ids,
) -> Result<Option<Start>, R::Error> {
    let skipped = request.skipped();
    if !hidden.is_empty() {
        return find_among_hidden(reader, request, range, series, hidden);
    }
    let place = rank::seek(reader, series, range, skipped.saturating_sub(tail))?;
    Ok(place.map(|place| Start { high: place.high, skip: skipped.saturating_sub(place.passed) }))
}

/// The same where hidden events lie between those that count: halves the interval in which the start
/// must lie until what is left to skip is cheap. Each look counts the hidden events above a place.
fn find_among_hidden<R: Reader>(
    reader: &mut R,
    request: &PageRequest<'_>,
    range: &KeyRange,
    series: &Series,
    hidden: Ids,
) -> Result<Option<Start>, R::Error> {
    let skipped = request.skipped();
    let mut start = Start { high: range.high, skip: skipped };
    if skipped <= CHEAP_SKIP {
        return Ok(Some(start));
    }
    let all = tail::count_matching(reader, hidden, &request.filter, range)?;
    let (mut low, mut high) = (skipped, skipped.saturating_add(all));
    if rank::seek(reader, series, range, high)?.is_none() {
        return Ok(None);
    }
    while start.skip > CHEAP_SKIP && low < high {
        let target = low.midpoint(high);
        let Some(place) = rank::seek(reader, series, range, target)? else {
            high = target;
            continue;
        };
        let passed_hidden = match range.above(place.high) {
            Some(passed) => tail::count_matching(reader, hidden, &request.filter, &passed)?,
            None => 0,
        };
        match skipped.checked_sub(place.passed.saturating_sub(passed_hidden)) {
            Some(skip) => {
                start = Start { high: place.high, skip };
                low = target + 1;
            }
            None => high = target,
        }
    }
    Ok(Some(start))
}

//! Where a page starts among the keys of a series, when some keys do not count.

use crate::host::Reader;
use crate::range::KeyRange;
use crate::rank;
use crate::request::{Filter, Key, PageRequest};
use crate::series::Series;
use crate::tail::{self, Ids};

/// Rather read and drop so many keys than descend once more.
const CHEAP_SKIP: u64 = if cfg!(any(test, fuzzing)) { 2 } else { 500 };

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

/// The same where hidden events lie between those that count. Narrows the interval in which the start
/// must lie, in turn by how densely the rest of it is filled and by half, until what is left to skip
/// is cheap: each look counts events by id, which is not.
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
    let keys = rank::count_within(reader, series, range)?;
    let visible = Visible { hidden, filter: &request.filter };
    // How many keys lie above either end of the interval, and how many of them count.
    let mut low = (0, 0);
    let mut high = (keys, visible.above(reader, range, keys)?);
    if skipped >= high.1 {
        return Ok(None);
    }
    let mut by_half = false;
    while start.skip > CHEAP_SKIP && high.0 - low.0 > 1 {
        let target = if by_half { low.0.midpoint(high.0) } else { between(low, high, skipped) };
        by_half = !by_half;
        let Some(place) = rank::seek(reader, series, range, target)? else {
            high.0 = target;
            continue;
        };
        let passed = match range.above(place.high) {
            Some(passed) => visible.above(reader, &passed, place.passed)?,
            None => 0,
        };
        match skipped.checked_sub(passed) {
            Some(skip) => {
                start = Start { high: place.high, skip };
                low = (target, passed);
            }
            None => high = (target, passed),
        }
    }
    Ok(Some(start))
}

/// The rank inside the interval, ends excluded, at which somewhat fewer than `skipped` keys should
/// count, were those that do spread evenly.
fn between(low: (u64, u64), high: (u64, u64), skipped: u64) -> u64 {
    let wanted = skipped.saturating_sub(CHEAP_SKIP / 2).saturating_sub(low.1);
    let (ranks, counting) = (high.0 - low.0, high.1.saturating_sub(low.1).max(1));
    let step = u128::from(wanted) * u128::from(ranks) / u128::from(counting);
    low.0 + u64::try_from(step).unwrap_or(u64::MAX).clamp(1, ranks - 1)
}

/// The events of a series that exist for a request.
struct Visible<'a> {
    hidden: Ids,
    filter: &'a Filter<'a>,
}

impl Visible<'_> {
    /// How many there are in a range that holds `keys` of the series' keys. Counts whichever are fewer
    /// by id, those that are hidden or those that are not.
    fn above<R: Reader>(&self, reader: &mut R, range: &KeyRange, keys: u64) -> Result<u64, R::Error> {
        let Ids { above: bound, up_to: covered } = self.hidden;
        if bound < covered / 2 {
            let shown = Ids { above: i64::MIN, up_to: bound };
            return tail::count_matching(reader, shown, self.filter, range);
        }
        let hidden = tail::count_matching(reader, self.hidden, self.filter, range)?;
        Ok(keys.saturating_sub(hidden))
    }
}

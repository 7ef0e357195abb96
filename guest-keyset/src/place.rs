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
/// are in the series but do not exist for this request. Each one above the start moves the start
/// down by one, which may uncover more of them: so the search is repeated until few are left.
pub(crate) fn find<R: Reader>(
    reader: &mut R,
    request: &PageRequest<'_>,
    range: &KeyRange,
    series: &Series,
    tail: u64,
    hidden: Ids,
) -> Result<Option<Start>, R::Error> {
    let skipped = request.skipped();
    let mut target = skipped.saturating_sub(tail);
    loop {
        let Some(place) = rank::seek(reader, series, range, target)? else {
            return Ok(None);
        };
        let not_counted = match range.above(place.high) {
            Some(passed) if !hidden.is_empty() => {
                tail::count_matching(reader, hidden, &request.filter, &passed)?
            }
            _ => 0,
        };
        let wanted = skipped.saturating_add(not_counted);
        let next = wanted.saturating_sub(tail);
        if next.saturating_sub(target) <= CHEAP_SKIP {
            return Ok(Some(Start { high: place.high, skip: wanted.saturating_sub(place.passed) }));
        }
        target = next;
    }
}

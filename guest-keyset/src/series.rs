//! A request's one series, and how far the tables reach: the first look-up of every page.

use crate::host::{Reader, Rows, count, integer};
use crate::range::KeyRange;
use crate::request::Filter;

/// `IS` finds the NULLs that stand for any actor and any action. The outer join answers how far the
/// tables reach even where no event ever matched; while the first fill is under way that is nowhere,
/// and what there is of a series does not count.
pub(crate) const FIND: &str = "SELECT p.covered, s.series, s.n, s.height, s.oldest, s.newest \
    FROM scratch.progress AS p LEFT JOIN scratch.series AS s \
    ON s.actor_id IS ?1 AND s.action IS ?2 AND p.covered > 0";

/// One series' row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    /// Its number.
    pub(crate) number: i64,
    /// How many keys it has; at least 1.
    pub(crate) n: u64,
    /// How many levels of buckets lie above its keys.
    pub(crate) height: i64,
    oldest: i64,
    newest: i64,
}

impl Series {
    /// The filter's series, if it has events, and the largest id that the tables cover.
    pub(crate) fn find<R: Reader>(
        reader: &mut R,
        filter: &Filter<'_>,
    ) -> Result<(Option<Self>, i64), R::Error> {
        let rows = reader.query(FIND, &[filter.actor_id.into(), filter.action.into()])?;
        if rows.is_empty() {
            return Ok((None, 0));
        }
        let covered = integer::<R>(&rows, 0, 0)?;
        let Some(number) = rows.integer(0, 1) else {
            return Ok((None, covered));
        };
        let series = Self {
            number,
            n: count::<R>(&rows, 0, 2)?,
            height: integer::<R>(&rows, 0, 3)?,
            oldest: integer::<R>(&rows, 0, 4)?,
            newest: integer::<R>(&rows, 0, 5)?,
        };
        Ok((Some(series), covered))
    }

    /// Whether it may have keys in the range.
    pub(crate) fn overlaps(&self, range: &KeyRange) -> bool {
        range.low.created_at <= self.newest && self.oldest <= range.high.created_at
    }

    /// Whether none of its keys lies above the range.
    pub(crate) fn ends_within(&self, range: &KeyRange) -> bool {
        self.newest <= range.high.created_at && range.high.id == i64::MAX
    }
}

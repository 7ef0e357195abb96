//! What differs between the log that a request sees and the tables: the tail, and what is hidden.
//!
//! Both are read by id. An order by time alone would tempt SQLite to walk the whole time index for
//! a handful of rows, hence NOT INDEXED.

use crate::host::{Param, Reader, count};
use crate::keys::keys;
use crate::range::KeyRange;
use crate::request::{Filter, Key};

/// Ids of the log: above `above`, up to `up_to`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids {
    pub(crate) above: i64,
    pub(crate) up_to: i64,
}

impl Ids {
    pub(crate) fn is_empty(self) -> bool {
        self.up_to <= self.above
    }
}

pub(crate) const TAIL: &str = "SELECT created_at, id FROM audit_events NOT INDEXED \
    WHERE id > ?1 AND id <= ?2 \
    AND (?3 IS NULL OR actor_id = ?3) AND (?4 IS NULL OR action = ?4) \
    AND (created_at, id) BETWEEN (?5, ?6) AND (?7, ?8) \
    ORDER BY created_at DESC, id DESC LIMIT ?9";

pub(crate) const COUNT: &str = "SELECT count(*) FROM audit_events NOT INDEXED \
    WHERE id > ?1 AND id <= ?2 \
    AND (?3 IS NULL OR actor_id = ?3) AND (?4 IS NULL OR action = ?4) \
    AND (created_at, id) BETWEEN (?5, ?6) AND (?7, ?8)";

fn params<'a>(ids: Ids, filter: &Filter<'a>, range: &KeyRange) -> Vec<Param<'a>> {
    let mut params = vec![
        Param::Integer(ids.above),
        Param::Integer(ids.up_to),
        filter.actor_id.into(),
        filter.action.into(),
    ];
    params.extend(range.params());
    params
}

/// The keys of matching events among these ids, newest first, at most `limit` of them.
pub(crate) fn read<R: Reader>(
    reader: &mut R,
    ids: Ids,
    filter: &Filter<'_>,
    range: &KeyRange,
    limit: u64,
) -> Result<Vec<Key>, R::Error> {
    let mut params = params(ids, filter, range);
    params.push(Param::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    let rows = reader.query(TAIL, &params)?;
    keys::<R>(&rows)
}

/// How many matching events there are among these ids.
pub(crate) fn count_matching<R: Reader>(
    reader: &mut R,
    ids: Ids,
    filter: &Filter<'_>,
    range: &KeyRange,
) -> Result<u64, R::Error> {
    let rows = reader.query(COUNT, &params(ids, filter, range))?;
    count::<R>(&rows, 0, 0)
}

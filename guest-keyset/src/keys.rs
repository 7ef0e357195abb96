//! Reading a series' keys, newest first.

use crate::host::{Param, Reader, Rows, integer};
use crate::range::KeyRange;
use crate::request::Key;

/// The row value uses the whole primary key, and the order is the key's own, read backwards.
pub(crate) const READ: &str = "SELECT created_at, id FROM scratch.keys \
    WHERE series = ?1 AND (created_at, id) BETWEEN (?2, ?3) AND (?4, ?5) AND id <= ?6 \
    ORDER BY created_at DESC, id DESC LIMIT ?7";

pub(crate) const SELECT: &str = "SELECT id FROM scratch.keys \
    WHERE series = ?1 AND (created_at, id) BETWEEN (?2, ?3) AND (?4, ?5) AND id <= ?6 \
    ORDER BY created_at DESC, id DESC LIMIT ?7";

fn params(series: i64, range: &KeyRange, bound: i64, limit: u64) -> [Param<'static>; 7] {
    let [low_at, low_id, high_at, high_id] = range.params();
    let limit = Param::Integer(i64::try_from(limit).unwrap_or(i64::MAX));
    let bound = Param::Integer(bound);
    let series = Param::Integer(series);
    [series, low_at, low_id, high_at, high_id, bound, limit]
}

/// At most `limit` keys of the range with ids up to `bound`.
pub(crate) fn read<R: Reader>(
    reader: &mut R,
    series: i64,
    range: &KeyRange,
    bound: i64,
    limit: u64,
) -> Result<Vec<Key>, R::Error> {
    let rows = reader.query(READ, &params(series, range, bound, limit))?;
    keys::<R>(&rows)
}

/// The same as handles: the ids never enter the guest.
pub(crate) fn select<R: Reader>(
    reader: &mut R,
    series: i64,
    range: &KeyRange,
    bound: i64,
    limit: u64,
) -> Result<Vec<R::Event>, R::Error> {
    reader.select(SELECT, &params(series, range, bound, limit))
}

/// Rows of `created_at` and `id` as keys.
pub(crate) fn keys<R: Reader>(rows: &R::Rows) -> Result<Vec<Key>, R::Error> {
    (0..rows.len())
        .map(|row| Ok(Key { created_at: integer::<R>(rows, row, 0)?, id: integer::<R>(rows, row, 1)? }))
        .collect()
}

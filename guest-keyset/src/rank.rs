//! From a rank to a place: descending the counted buckets of a series.

use crate::host::{Param, Reader, Rows, count, integer};
use crate::range::KeyRange;
use crate::request::Key;
use crate::series::Series;
use crate::tables::MAX_CHILDREN;

pub(crate) const CHILDREN: &str = "SELECT created_at, id, n FROM scratch.buckets \
    WHERE series = ?1 AND level = ?2 AND (created_at, id) BETWEEN (?3, ?4) AND (?5, ?6) \
    ORDER BY created_at DESC, id DESC";

pub(crate) const COUNT_ABOVE: &str = "SELECT count(*) FROM scratch.keys \
    WHERE series = ?1 AND (created_at, id) BETWEEN (?2, ?3) AND (?4, ?5)";

/// Where to start reading a series' keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Start at this key and go down.
    pub(crate) high: Key,
    /// How many keys of the range lie above it.
    pub(crate) passed: u64,
}

/// A bucket, and the keys that can lie in it.
struct Bucket {
    keys: KeyRange,
    n: u64,
}

/// A place at or shortly above the key that `target` keys of the range precede. At most
/// [`MAX_CHILDREN`] keys lie between. None: the range surely holds no more than `target` keys.
pub(crate) fn seek<R: Reader>(
    reader: &mut R,
    series: &Series,
    range: &KeyRange,
    target: u64,
) -> Result<Option<Place>, R::Error> {
    let top = Place { high: range.high, passed: 0 };
    if target >= series.n {
        return Ok(None);
    }
    if target <= u64::from(MAX_CHILDREN) {
        return Ok(Some(top));
    }
    let above = if series.ends_within(range) { 0 } else { count_above(reader, series, range.high)? };
    let mut left = target.saturating_add(above);
    if left >= series.n {
        return Ok(None);
    }
    let bucket = descend(reader, series, range.low, |bucket| {
        let passes = bucket.n <= left;
        if passes {
            left -= bucket.n;
        }
        passes
    })?;
    Ok(bucket.map(|bucket| {
        if bucket.keys.high < range.high {
            Place { high: bucket.keys.high, passed: target.saturating_sub(left) }
        } else {
            top
        }
    }))
}

/// How many keys of the series lie in the range.
pub(crate) fn count_within<R: Reader>(
    reader: &mut R,
    series: &Series,
    range: &KeyRange,
) -> Result<u64, R::Error> {
    let from_low = match range.low.before() {
        Some(below) => count_above(reader, series, below)?,
        None => series.n,
    };
    Ok(from_low.saturating_sub(count_above(reader, series, range.high)?))
}

/// How many keys of the series are greater than this one.
fn count_above<R: Reader>(reader: &mut R, series: &Series, key: Key) -> Result<u64, R::Error> {
    let mut above = 0;
    let bucket = descend(reader, series, Key::MIN, |bucket| {
        let passes = bucket.keys.low > key;
        if passes {
            above += bucket.n;
        }
        passes
    })?;
    let Some(rest) = bucket.and_then(|bucket| bucket.keys.above(key)) else {
        return Ok(above);
    };
    let [low_at, low_id, high_at, high_id] = rest.params();
    let series = Param::Integer(series.number);
    let rows = reader.query(COUNT_ABOVE, &[series, low_at, low_id, high_at, high_id])?;
    Ok(above + count::<R>(&rows, 0, 0)?)
}

/// Goes down to a bucket of level 1, at each level past the newest buckets for as long as `passes`
/// says so. None as soon as everything that follows lies below `low`.
fn descend<R: Reader>(
    reader: &mut R,
    series: &Series,
    low: Key,
    mut passes: impl FnMut(&Bucket) -> bool,
) -> Result<Option<Bucket>, R::Error> {
    let mut bucket = Bucket { keys: KeyRange::ALL, n: series.n };
    for level in (1..=series.height).rev() {
        bucket = children(reader, series, level, &bucket.keys)?
            .into_iter()
            .find(|child| !passes(child))
            .ok_or_else(|| R::broken("the buckets count fewer keys than their series"))?;
        if bucket.keys.high < low {
            return Ok(None);
        }
    }
    Ok(Some(bucket))
}

/// The buckets of a level that share a parent, newest first. Each reaches up to where the one
/// before it starts.
fn children<R: Reader>(
    reader: &mut R,
    series: &Series,
    level: i64,
    parent: &KeyRange,
) -> Result<Vec<Bucket>, R::Error> {
    let [low_at, low_id, high_at, high_id] = parent.params();
    let (series, level) = (Param::Integer(series.number), Param::Integer(level));
    let rows = reader.query(CHILDREN, &[series, level, low_at, low_id, high_at, high_id])?;
    let mut high = parent.high;
    (0..rows.len())
        .map(|row| {
            let low = Key { created_at: integer::<R>(&rows, row, 0)?, id: integer::<R>(&rows, row, 1)? };
            let bucket = Bucket { keys: KeyRange { low, high }, n: count::<R>(&rows, row, 2)? };
            high = low.before().unwrap_or(Key::MIN);
            Ok(bucket)
        })
        .collect()
}

//! Keeping the counted buckets in shape: counting, splitting, adding levels.

use crate::host::{Param, Rows, Writer, integer};
use crate::keys::keys;
use crate::range::KeyRange;
use crate::request::Key;
use crate::tables::{FULL, MAX_CHILDREN};

/// Adds children to the bucket of a series and level in which a key lies.
const ADD_CHILDREN: &str = "UPDATE scratch.buckets SET fanout = fanout + ?5
    WHERE series = ?1 AND level = ?2 AND (created_at, id) = (
        SELECT created_at, id FROM scratch.buckets
        WHERE series = ?1 AND level = ?2 AND (created_at, id) <= (?3, ?4)
        ORDER BY created_at DESC, id DESC LIMIT 1
    )";

/// A split bucket keeps its place and loses children to new ones.
const PUT: &str = "INSERT OR REPLACE INTO scratch.buckets
    (series, level, created_at, id, n, fanout) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const NEXT: &str = "SELECT created_at, id FROM scratch.buckets
    WHERE series = ?1 AND level = ?2 AND (created_at, id) > (?3, ?4)
    ORDER BY created_at, id LIMIT 1";

const CHILD_KEYS: &str = "SELECT created_at, id, 1 FROM scratch.keys
    WHERE series = ?1 AND (created_at, id) BETWEEN (?2, ?3) AND (?4, ?5) ORDER BY created_at, id";

const CHILD_BUCKETS: &str = "SELECT created_at, id, n FROM scratch.buckets
    WHERE series = ?1 AND level = ?6 AND (created_at, id) BETWEEN (?2, ?3) AND (?4, ?5)
    ORDER BY created_at, id";

/// So many buckets are looked for at a time.
const BATCH: usize = 200;

/// A key with n = 1, or a bucket.
#[derive(Clone, Copy)]
struct Child {
    low: Key,
    n: i64,
}

/// Splits every bucket that has too many children, level by level: what a split adds to the level
/// above may make that overflow in turn.
pub(crate) fn split_overflowing<W: Writer>(writer: &mut W) -> Result<(), W::Error> {
    let sql = format!(
        "SELECT created_at, id, series, level FROM scratch.buckets
        WHERE fanout > {MAX_CHILDREN} ORDER BY level LIMIT {BATCH}"
    );
    loop {
        let rows = writer.query(&sql, &[])?;
        for (row, low) in keys::<W>(&rows)?.into_iter().enumerate() {
            let series = integer::<W>(&rows, row, 2)?;
            let level = integer::<W>(&rows, row, 3)?;
            split(writer, series, level, low)?;
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

/// Splits the bucket that starts at `low`.
fn split<W: Writer>(writer: &mut W, series: i64, level: i64, low: Key) -> Result<(), W::Error> {
    let params = [series, level, low.created_at, low.id].map(Param::Integer);
    let next = keys::<W>(&writer.query(NEXT, &params)?)?;
    let high = next.first().map_or(Some(Key::MAX), |next| next.before());
    let range = KeyRange { low, high: high.unwrap_or(Key::MIN) };
    let children = children(writer, series, level - 1, &range)?;
    let pieces = put(writer, series, level, low, &children)?;
    if pieces == 0 {
        return Err(W::broken("a bucket counts children that are not there"));
    }
    let parent = [series, level + 1, low.created_at, low.id, pieces - 1].map(Param::Integer);
    if writer.execute(ADD_CHILDREN, &parent)? == 0 {
        // No level above: this is the top.
        raise(writer, series, level)?;
    }
    Ok(())
}

/// Puts levels above `top`, until the topmost is narrow enough to be read at once. The keys
/// themselves are level 0.
pub(crate) fn raise<W: Writer>(writer: &mut W, series: i64, top: i64) -> Result<(), W::Error> {
    let mut height = top;
    loop {
        let children = children(writer, series, height, &KeyRange::ALL)?;
        if children.len() <= MAX_CHILDREN as usize {
            break;
        }
        height += 1;
        put(writer, series, height, Key::MIN, &children)?;
    }
    let sql = "UPDATE scratch.series SET height = ?2 WHERE series = ?1";
    writer.execute(sql, &[series, height].map(Param::Integer)).map(drop)
}

/// The keys or buckets of a level within a range, in ascending order.
fn children<W: Writer>(
    writer: &mut W,
    series: i64,
    level: i64,
    range: &KeyRange,
) -> Result<Vec<Child>, W::Error> {
    let [low_at, low_id, high_at, high_id] = range.params();
    let series = Param::Integer(series);
    let rows = if level == 0 {
        writer.query(CHILD_KEYS, &[series, low_at, low_id, high_at, high_id])?
    } else {
        let level = Param::Integer(level);
        let params = [series, low_at, low_id, high_at, high_id, level];
        writer.query(CHILD_BUCKETS, &params)?
    };
    let lows = keys::<W>(&rows)?.into_iter().enumerate();
    lows.map(|(row, low)| {
        let n = integer::<W>(&rows, row, 2)?;
        Ok(Child { low, n })
    })
    .collect()
}

/// Writes buckets of a level over these children, the first of them starting at `low`. Returns how
/// many.
fn put<W: Writer>(
    writer: &mut W,
    series: i64,
    level: i64,
    low: Key,
    children: &[Child],
) -> Result<i64, W::Error> {
    let mut low = Some(low);
    let mut pieces = 0;
    let mut params = Vec::new();
    for piece in even_pieces(children) {
        let Some(first) = piece.first() else { continue };
        let Key { created_at, id } = low.take().unwrap_or(first.low);
        let n = piece.iter().map(|child| child.n).sum();
        let fanout = i64::try_from(piece.len()).unwrap_or(i64::MAX);
        params.extend([series, level, created_at, id, n, fanout].map(Param::Integer));
        pieces += 1;
    }
    writer.execute_many(PUT, &params)?;
    Ok(pieces)
}

/// As few pieces of at most [`FULL`] as there can be, of equal length as far as possible.
fn even_pieces<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    let pieces = items.len().div_ceil(FULL as usize);
    (0..pieces).map(move |piece| {
        let start = items.len() * piece / pieces;
        let end = items.len() * (piece + 1) / pieces;
        &items[start..end]
    })
}

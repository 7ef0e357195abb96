//! Keeping the counted buckets in shape: counting, splitting, adding levels.

use crate::host::{Param, Rows, Writer, count, integer};
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

/// So many buckets are looked for at a time.
const BATCH: usize = 200;

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
    let children = Children { series, level: level - 1, range: KeyRange { low, high: high.unwrap_or(low) } };
    let count = children.count(writer)?;
    let pieces = children.cover(writer, count)?;
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
    let mut children = Children { series, level: top, range: KeyRange::ALL };
    loop {
        let count = children.count(writer)?;
        if count <= u64::from(MAX_CHILDREN) {
            break;
        }
        children.cover(writer, count)?;
        children.level += 1;
    }
    let sql = "UPDATE scratch.series SET height = ?2 WHERE series = ?1";
    writer.execute(sql, &[series, children.level].map(Param::Integer)).map(drop)
}

/// The keys (level 0) or buckets of a series that lie in a range. They are counted and grouped where
/// they are: a slice splits hundreds of buckets, and would else read tens of thousands of rows.
struct Children {
    series: i64,
    level: i64,
    range: KeyRange,
}

impl Children {
    /// What stands after FROM, and how many keys one child stands for. Parameters ?1 to ?5.
    fn source(&self) -> (String, &'static str) {
        let range = "series = ?1 AND (created_at, id) BETWEEN (?2, ?3) AND (?4, ?5)";
        match self.level {
            0 => (format!("scratch.keys WHERE {range}"), "1"),
            level => (format!("scratch.buckets WHERE {range} AND level = {level}"), "n"),
        }
    }

    fn params(&self) -> Vec<Param<'static>> {
        let mut params = vec![Param::Integer(self.series)];
        params.extend(self.range.params());
        params
    }

    fn count<W: Writer>(&self, writer: &mut W) -> Result<u64, W::Error> {
        let (source, _) = self.source();
        let rows = writer.query(&format!("SELECT count(*) FROM {source}"), &self.params())?;
        count::<W>(&rows, 0, 0)
    }

    /// Writes buckets over them, as few as there can be and as equal as can be, the first starting
    /// where the range starts. `count` is how many children there are. Returns how many buckets.
    fn cover<W: Writer>(&self, writer: &mut W, count: u64) -> Result<i64, W::Error> {
        let (source, n) = self.source();
        // Where min() is the only extreme asked for, SQLite takes the plain columns from its row.
        let sql = format!(
            "SELECT created_at, id, sum(n), count(*), min(r) FROM (
                SELECT created_at, id, {n} AS n, row_number() OVER (ORDER BY created_at, id) AS r
                FROM {source}
            )
            GROUP BY (r - 1) * ?6 / ?7 ORDER BY 1, 2"
        );
        let pieces = count.div_ceil(FULL.into());
        let mut params = self.params();
        for number in [pieces, count] {
            params.push(Param::Integer(i64::try_from(number).unwrap_or(i64::MAX)));
        }
        let rows = writer.query(&sql, &params)?;

        let mut buckets = Vec::new();
        let mut written = 0;
        for (row, low) in keys::<W>(&rows)?.into_iter().enumerate() {
            let low = if row == 0 { self.range.low } else { low };
            let n = integer::<W>(&rows, row, 2)?;
            let fanout = integer::<W>(&rows, row, 3)?;
            let bucket = [self.series, self.level + 1, low.created_at, low.id, n, fanout];
            buckets.extend(bucket.map(Param::Integer));
            written += 1;
        }
        writer.execute_many(PUT, &buckets)?;
        Ok(written)
    }
}

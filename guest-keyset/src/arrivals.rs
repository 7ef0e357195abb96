//! Taking in a slice of new events, wherever in the order they belong.

use crate::buckets;
use crate::host::{Param, Rows, Writer, integer};
use crate::tables::{FAMILIES, MAX_CHILDREN};

/// Events with their series. They are looked up for each event: CROSS JOIN keeps that order.
const MEMBERS: &str = "feed.events AS e CROSS JOIN scratch.series AS s";

/// For events with ids from ?1 to ?2, and series of the family that ?3 (by actor) and ?4 (by
/// action) name.
const IS_MEMBER: &str = "e.id >= ?1 AND e.id <= ?2
    AND s.actor_id IS CASE WHEN ?3 THEN e.actor_id END
    AND s.action IS CASE WHEN ?4 THEN e.action END";

/// Series that have no row yet. The bounds are widened as events are counted.
const NEW_SERIES: &str = "INSERT INTO scratch.series (actor_id, action, n, height, oldest, newest)
    SELECT DISTINCT CASE WHEN ?3 THEN e.actor_id END, CASE WHEN ?4 THEN e.action END, 0, 0, ?5, ?6
    FROM feed.events AS e WHERE e.id >= ?1 AND e.id <= ?2 AND NOT EXISTS (
        SELECT 1 FROM scratch.series AS s
        WHERE s.actor_id IS CASE WHEN ?3 THEN e.actor_id END
        AND s.action IS CASE WHEN ?4 THEN e.action END
    )";

type Family = (bool, bool);

fn params((by_actor, by_action): Family, first: i64, end: i64) -> [Param<'static>; 4] {
    [first, end, by_actor.into(), by_action.into()].map(Param::Integer)
}

/// Takes in the events with ids from `first` to `end`.
pub(crate) fn take_in<W: Writer>(writer: &mut W, first: i64, end: i64) -> Result<(), W::Error> {
    for family in FAMILIES {
        count_in_series(writer, family, first, end)?;
        insert_keys(writer, family, first, end)?;
        count_in_buckets(writer, family, first, end)?;
    }
    buckets::split_overflowing(writer)
}

/// Inserts the events' keys, in the table's own order.
pub(crate) fn insert_keys<W: Writer>(
    writer: &mut W,
    family: Family,
    first: i64,
    end: i64,
) -> Result<(), W::Error> {
    let sql = format!(
        "INSERT INTO scratch.keys (series, created_at, id)
        SELECT s.series, e.created_at, e.id FROM {MEMBERS} WHERE {IS_MEMBER} ORDER BY 1, 2, 3"
    );
    writer.execute(&sql, &params(family, first, end)).map(drop)
}

fn count_in_series<W: Writer>(writer: &mut W, family: Family, first: i64, end: i64) -> Result<(), W::Error> {
    let [first, end, by_actor, by_action] = params(family, first, end);
    let nothing = [i64::MAX, i64::MIN].map(Param::Integer);
    let new = [first, end, by_actor, by_action, nothing[0], nothing[1]];
    writer.execute(NEW_SERIES, &new)?;
    let sql = format!(
        "UPDATE scratch.series SET n = series.n + new.n,
            oldest = min(series.oldest, new.oldest), newest = max(series.newest, new.newest)
        FROM (
            SELECT s.series, count(*) AS n, min(e.created_at) AS oldest, max(e.created_at) AS newest
            FROM {MEMBERS} WHERE {IS_MEMBER} GROUP BY s.series
        ) AS new
        WHERE series.series = new.series"
    );
    writer.execute(&sql, &[first, end, by_actor, by_action]).map(drop)
}

/// Counts the events in the buckets above them, and gives buckets to the series that they made long.
fn count_in_buckets<W: Writer>(writer: &mut W, family: Family, first: i64, end: i64) -> Result<(), W::Error> {
    let [first, end, by_actor, by_action] = params(family, first, end);
    let sql = format!(
        "SELECT DISTINCT s.series, s.height FROM {MEMBERS}
        WHERE {IS_MEMBER} AND s.n > {MAX_CHILDREN}"
    );
    let long = writer.query(&sql, &[first, end, by_actor, by_action])?;
    let mut highest = 0;
    let mut without_buckets = Vec::new();
    for row in 0..long.len() {
        let height = integer::<W>(&long, row, 1)?;
        highest = height.max(highest);
        if height == 0 {
            without_buckets.push(integer::<W>(&long, row, 0)?);
        }
    }
    // Those without buckets find none to count in; they are counted when they get some.
    for level in 1..=highest {
        let level = Param::Integer(level);
        let sql = count_in_level();
        writer.execute(&sql, &[first, end, by_actor, by_action, level])?;
    }
    for series in without_buckets {
        buckets::raise(writer, series, 0)?;
    }
    Ok(())
}

/// Adds the events to the buckets of level ?5 in which they lie: for each event the last bucket that
/// does not start after it.
fn count_in_level() -> String {
    format!(
        "UPDATE scratch.buckets SET n = buckets.n + new.n,
            fanout = fanout + CASE ?5 WHEN 1 THEN new.n ELSE 0 END
        FROM (
            SELECT b.series, b.created_at, b.id, count(*) AS n
            FROM {MEMBERS} CROSS JOIN scratch.buckets AS b
            WHERE {IS_MEMBER} AND b.series = s.series AND b.level = ?5
            AND (b.created_at, b.id) = (
                SELECT created_at, id FROM scratch.buckets
                WHERE series = s.series AND level = ?5
                AND (created_at, id) <= (e.created_at, e.id)
                ORDER BY created_at DESC, id DESC LIMIT 1
            )
            GROUP BY 1, 2, 3
        ) AS new
        WHERE buckets.series = new.series AND buckets.level = ?5
        AND buckets.created_at = new.created_at AND buckets.id = new.id"
    )
}

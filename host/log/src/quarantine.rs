//! The quarantine of a scratch: the covered events that have an odd cell, in a table of the host's own.
//!
//! A strategy's feed holds stand-ins for such cells, so that every other event keeps its place and count. The host knows
//! by this table which pages the stand-ins could touch, and sees by it when a cell was mended.

use rusqlite::{Connection, OptionalExtension, Row as SqlRow};
use serde::{Deserialize, Serialize};

use crate::cell::{self, OddCell};

/// Events of it that a summary names.
const NAMED: u32 = 8;

/// Events of it that are held against the log whenever the log has changed: some hundred microseconds. In a larger one
/// the others are met when all that scratch covers is compared with the log.
const HELD_AGAINST: u32 = 256;

const SELECT: &str =
    "/*keyhole*/ SELECT id, held_by, found FROM scratch.keyhole_quarantine ORDER BY id LIMIT ?1";

const ROW: &str = "/*keyhole*/ SELECT id, created_at, actor_id, action, resource_type, resource_id, payload_offset, \
    payload_len FROM log.audit_events WHERE id = ?1";

/// An event that has an odd cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The event.
    pub id: i64,
    /// The column of its first odd cell.
    pub column: String,
    /// What that holds, in words.
    pub found: String,
}

/// A quarantine in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many events it holds.
    pub events: u64,
    /// Those with the smallest ids, at most eight.
    pub first: Vec<Quarantined>,
}

/// Makes the table in a new scratch.
pub fn create(scratch: &Connection) -> rusqlite::Result<()> {
    scratch.execute_batch(
        "CREATE TABLE scratch.keyhole_quarantine (
            id INTEGER PRIMARY KEY, held_by TEXT NOT NULL, found TEXT NOT NULL, second INTEGER);
         CREATE INDEX scratch.keyhole_quarantine_second ON keyhole_quarantine (second) WHERE second IS NOT NULL",
    )
}

/// Makes the table in which a feed collects what it finds.
pub fn collect(scratch: &Connection) -> rusqlite::Result<()> {
    scratch.execute_batch(
        "CREATE TABLE feed.keyhole_quarantine (
            id INTEGER PRIMARY KEY, held_by TEXT NOT NULL, found TEXT NOT NULL, second INTEGER)",
    )
}

/// Takes down a row of the contract's columns, where it has an odd cell.
pub(crate) fn note(row: &SqlRow<'_>, feed: &Connection) -> rusqlite::Result<()> {
    let Some(OddCell { column, found }) = cell::odd(row)? else { return Ok(()) };
    let insert = "/*keyhole*/ INSERT INTO feed.keyhole_quarantine VALUES (?1, ?2, ?3, ?4)";
    let second = cell::second_of_stand_in(row.get_ref(1)?);
    feed.prepare_cached(insert)?.execute((row.get::<_, i64>(0)?, column, found, second)).map(drop)
}

/// Takes what the feed has collected into scratch.
pub fn store(scratch: &Connection) -> rusqlite::Result<()> {
    let take =
        "/*keyhole*/ INSERT OR REPLACE INTO scratch.keyhole_quarantine SELECT * FROM feed.keyhole_quarantine";
    scratch.prepare_cached(take)?.execute([]).map(drop)
}

/// The quarantine of a scratch in short.
pub fn summary(scratch: &Connection) -> rusqlite::Result<Summary> {
    let events: i64 =
        scratch.query_row("SELECT count(*) FROM scratch.keyhole_quarantine", [], |row| row.get(0))?;
    Ok(Summary { events: events.unsigned_abs(), first: read(scratch, NAMED)? })
}

fn read(scratch: &Connection, most: u32) -> rusqlite::Result<Vec<Quarantined>> {
    let mut statement = scratch.prepare_cached(SELECT)?;
    let rows = statement.query_map([most], |row| {
        Ok(Quarantined { id: row.get(0)?, column: row.get(1)?, found: row.get(2)? })
    })?;
    rows.collect()
}

/// The first event that is no longer as it was when it was quarantined.
pub(crate) fn changed(scratch: &Connection, log: &Connection) -> rusqlite::Result<Option<i64>> {
    let mut look = log.prepare_cached(ROW)?;
    for known in read(scratch, HELD_AGAINST)? {
        let odd = look.query_row([known.id], cell::odd).optional()?.flatten();
        if !odd.is_some_and(|odd| odd.column == known.column && odd.found == known.found) {
            return Ok(Some(known.id));
        }
    }
    Ok(None)
}

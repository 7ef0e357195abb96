//! What scratch was made from: a digest of every covered event's row, in blocks, in a table of the host's own.
//!
//! They are gathered beside the feed while it is filled, and moved into scratch in the transaction that says
//! that those events are covered.

use rusqlite::{Connection, OptionalExtension, Row};

use keyhole_log::digests::{ROW, RowDigest};

/// Events of one block, at most: two pages of SQLite's, so that a refresh adds one row.
const BLOCK: usize = 512;

/// Events that are read back at once, at most, but for the last block's: as many as one range of the log.
const READ: usize = 5_000;

/// Makes the table in a new scratch.
pub(super) fn create(scratch: &Connection) -> rusqlite::Result<()> {
    scratch.execute_batch(
        "CREATE TABLE scratch.keyhole_block
            (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, digests BLOB NOT NULL)",
    )
}

/// Makes the place beside the feed where they are gathered.
pub(super) fn create_beside_feed(feed: &Connection) -> rusqlite::Result<()> {
    feed.execute_batch(
        "CREATE TABLE feed.blocks (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, digests BLOB NOT NULL)",
    )
}

/// Gathers the digests of events that were fed, in ascending order of id.
pub(super) fn gather(feed: &Connection, rows: &[RowDigest]) -> rusqlite::Result<()> {
    let mut insert = feed.prepare_cached("/*keyhole*/ INSERT INTO feed.blocks VALUES (?1, ?2, ?3)")?;
    let mut bytes = Vec::with_capacity(rows.len().min(BLOCK) * ROW);
    for block in rows.chunks(BLOCK) {
        bytes.clear();
        for row in block {
            bytes.extend_from_slice(&row.bytes());
        }
        let ends = block.first().zip(block.last());
        insert.execute((ends.map(|(first, _)| first.id), ends.map(|(_, last)| last.id), &bytes))?;
    }
    Ok(())
}

/// Moves what was gathered into scratch.
pub(super) fn keep(scratch: &Connection) -> rusqlite::Result<()> {
    scratch.execute_batch(
        "/*keyhole*/ INSERT INTO scratch.keyhole_block SELECT first, last, digests FROM feed.blocks;
         DELETE FROM feed.blocks",
    )
}

/// Reads the digests of the next covered events after this id (None: from the first), in ascending order, in whole
/// blocks; none where there are no more.
pub(super) fn after(
    scratch: &Connection,
    position: Option<i64>,
    rows: &mut Vec<RowDigest>,
) -> rusqlite::Result<()> {
    rows.clear();
    // The block that the position lies in, and those behind it.
    let mut blocks = scratch.prepare_cached(
        "/*keyhole*/ SELECT digests FROM scratch.keyhole_block WHERE (?1 IS NULL OR last > ?1) AND first >= coalesce(
            (SELECT max(first) FROM scratch.keyhole_block WHERE first <= ?1), ?1, -9223372036854775808) ORDER BY first",
    )?;
    let mut blocks = blocks.query([position])?;
    while let (true, Some(block)) = (rows.len() < READ, blocks.next()?) {
        let (digests, _) = block.get_ref(0)?.as_blob()?.as_chunks::<ROW>();
        let kept = digests.iter().map(|bytes| RowDigest::from_bytes(*bytes));
        rows.extend(kept.filter(|row| position.is_none_or(|position| row.id > position)));
    }
    Ok(())
}

/// The ids of the next block's events after the block that begins with this one; None where there is none.
pub(super) fn next_ids(scratch: &Connection, first: Option<i64>) -> rusqlite::Result<Option<Vec<i64>>> {
    let next = "/*keyhole*/ SELECT digests FROM scratch.keyhole_block WHERE first > coalesce(?1, -9223372036854775808)
        ORDER BY first LIMIT 1";
    let read = |row: &Row<'_>| {
        let (digests, _) = row.get_ref(0)?.as_blob()?.as_chunks::<ROW>();
        Ok(digests.iter().map(|bytes| RowDigest::from_bytes(*bytes).id).collect())
    };
    scratch.prepare_cached(next)?.query_row([first], read).optional()
}

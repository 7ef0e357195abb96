//! Copying new events out of the log in short ranges, so that its writer never waits for a refresh.
//!
//! Rows never change and ids only grow: ranges taken one after another are one snapshot up to their
//! last id.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::cell;
use crate::digests::{DigestKey, RowDigest};
use crate::error::Error;
use crate::folder::COLUMNS;
use crate::limits::HOST_WAIT;
use crate::log_reader::LogReader;
use crate::quarantine;
use crate::{Identity, Log};

/// Most rows of one read transaction.
const RANGE_ROWS: u32 = 5_000;

/// Longest read transaction.
const RANGE_TIME: Duration = Duration::from_millis(5);

/// A range of events, all of the contract's columns in their order: after an id, or from the first.
const AFTER: &str = "SELECT id, created_at, actor_id, action, resource_type, resource_id, payload_offset, payload_len \
    FROM log.audit_events WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
const FIRST: &str = "SELECT id, created_at, actor_id, action, resource_type, resource_id, payload_offset, payload_len \
    FROM log.audit_events WHERE id <= ?1 ORDER BY id LIMIT ?2";

/// The host's own connection to the log, for refreshes. Every read is a short transaction.
pub struct Feeder {
    log: LogReader,
}

impl Feeder {
    /// Opens the log.
    pub fn open(log: &Log) -> Result<Self, Error> {
        Ok(Self { log: LogReader::open(&log.database, HOST_WAIT)? })
    }

    /// Which file it reads, whatever lies at its path by now.
    pub fn identity(&self) -> Identity {
        self.log.identity()
    }

    /// The largest id, or None for an empty log.
    pub fn last(&self) -> Result<Option<i64>, Error> {
        self.log.read(|log| {
            log.prepare_cached("SELECT max(id) FROM log.audit_events")?.query_row([], |row| row.get(0))
        })
    }

    /// The smallest id, or None for an empty log.
    pub fn first(&self) -> Result<Option<i64>, Error> {
        self.log.read(|log| {
            log.prepare_cached("SELECT min(id) FROM log.audit_events")?.query_row([], |row| row.get(0))
        })
    }

    /// All of an event's columns as one text; None if there is no such event.
    pub fn row_text(&self, id: i64) -> Result<Option<String>, Error> {
        self.log.read(|log| {
            let select = format!("SELECT {} FROM log.audit_events WHERE id = ?1", joined());
            log.prepare_cached(&select)?.query_row([id], |row| text(row, 0)).optional()
        })
    }

    /// Hands over all columns of every event as one text each, in order of id, in short ranges.
    pub fn each_row_text(&self, mut each: impl FnMut(&str)) -> Result<(), Error> {
        let select = format!(
            "SELECT id, {} FROM log.audit_events WHERE (?1 IS NULL OR id > ?1) ORDER BY id LIMIT {RANGE_ROWS}",
            joined()
        );
        let mut after = None::<i64>;
        loop {
            crate::interrupt::check()?;
            let texts = self.log.read(|log| {
                let mut statement = log.prepare_cached(&select)?;
                let rows = statement.query_map([after], |row| Ok((row.get(0)?, text(row, 1)?)))?;
                rows.collect::<rusqlite::Result<Vec<(i64, String)>>>()
            })?;
            match texts.last() {
                Some((id, _)) => after = Some(*id),
                None => return Ok(()),
            }
            for (_, text) in &texts {
                each(text);
            }
        }
    }

    /// Hands over actor and action of every event, in order of id, in short ranges; but for those of which one is odd.
    pub fn each_subject(&self, mut each: impl FnMut(i64, &str)) -> Result<(), Error> {
        let select = format!(
            "SELECT id, actor_id, action FROM log.audit_events WHERE (?1 IS NULL OR id > ?1) \
             ORDER BY id LIMIT {RANGE_ROWS}"
        );
        let mut after = None::<i64>;
        loop {
            crate::interrupt::check()?;
            let subjects = self.log.read(|log| {
                let mut statement = log.prepare_cached(&select)?;
                let rows = statement.query_map([after], |row| {
                    let (actor, action) = (row.get_ref(1)?.as_i64(), row.get_ref(2)?.as_str());
                    Ok((row.get(0)?, actor.ok().zip(action.ok().map(str::to_owned))))
                })?;
                rows.collect::<rusqlite::Result<Vec<(i64, Option<(i64, String)>)>>>()
            })?;
            match subjects.last() {
                Some((id, _)) => after = Some(*id),
                None => return Ok(()),
            }
            for (actor, action) in subjects.iter().filter_map(|(_, subject)| subject.as_ref()) {
                each(*actor, action);
            }
        }
    }

    /// Hands over where the payload of every event lies, id, offset and length, in order of id, in short ranges. Events
    /// whose cells are no whole numbers there are passed over.
    pub fn each_span(&self, mut each: impl FnMut(i64, i64, i64)) -> Result<(), Error> {
        let select = format!(
            "SELECT id, payload_offset, payload_len FROM log.audit_events WHERE (?1 IS NULL OR id > ?1) \
             ORDER BY id LIMIT {RANGE_ROWS}"
        );
        let mut after = None::<i64>;
        let mut spans = Vec::new();
        loop {
            crate::interrupt::check()?;
            let last = self.log.read(|log| {
                spans.clear();
                let (mut statement, mut last) = (log.prepare_cached(&select)?, None);
                let mut rows = statement.query([after])?;
                while let Some(row) = rows.next()? {
                    let id = row.get(0)?;
                    last = Some(id);
                    if let (ValueRef::Integer(offset), ValueRef::Integer(len)) =
                        (row.get_ref(1)?, row.get_ref(2)?)
                    {
                        spans.push((id, offset, len));
                    }
                }
                Ok(last)
            })?;
            for &(id, offset, len) in &spans {
                each(id, offset, len);
            }
            match last {
                Some(_) => after = last,
                None => return Ok(()),
            }
        }
    }

    /// Ids, offsets and lengths of the events from `first` to `last`, both included, whose offset and length are whole numbers, in order
    /// of id: of no more than one range takes.
    pub fn spans(&self, first: i64, last: i64) -> Result<Vec<(i64, i64, i64)>, Error> {
        let select = "SELECT id, payload_offset, payload_len FROM log.audit_events WHERE id BETWEEN ?1 AND ?2 \
            AND typeof(payload_offset) = 'integer' AND typeof(payload_len) = 'integer' ORDER BY id LIMIT ?3";
        self.log.read(|log| {
            let mut statement = log.prepare_cached(select)?;
            let rows = statement
                .query_map((first, last, RANGE_ROWS), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect()
        })
    }

    /// How many events have an id up to `last`, counted in short ranges.
    pub fn count_to(&self, last: i64) -> Result<u64, Error> {
        self.count_to_unless(last, || false).map(Option::unwrap_or_default)
    }

    /// The same, given up once `stop` says so: then None.
    pub fn count_to_unless(&self, last: i64, stop: impl Fn() -> bool) -> Result<Option<u64>, Error> {
        let (mut total, mut after) = (0u64, None);
        while !stop() {
            let (counted, reached): (u64, Option<i64>) = self.log.read(|log| {
                log.prepare_cached(
                    "SELECT count(*), max(id) FROM (SELECT id FROM log.audit_events \
                     WHERE (?1 IS NULL OR id > ?1) AND id <= ?2 ORDER BY id LIMIT 20000)",
                )?
                .query_row((after, last), |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))
            })?;
            total += counted;
            match reached {
                Some(id) => after = Some(id),
                None => return Ok(Some(total)),
            }
        }
        Ok(None)
    }

    /// The first event of a scratch's quarantine that is no longer as it was when it was fed.
    pub fn changed_in_quarantine(&self, scratch: &Connection) -> Result<Option<i64>, Error> {
        self.log.read(|log| quarantine::changed(scratch, log))
    }

    /// Copies one range of events after `after` (None: from the first) and up to `through` into
    /// `feed.events` of the other connection: the columns named. Of those that have an odd cell it copies stand-ins, or
    /// nothing where no page can hold the event, and notes them in `feed.keyhole_quarantine`. `copied` then holds the
    /// whole range, each event with the digest of all of its row; none when nothing is left.
    pub fn copy_range(
        &self,
        into: &Connection,
        columns: &[&str],
        key: &DigestKey,
        after: Option<i64>,
        through: i64,
        copied: &mut Vec<RowDigest>,
    ) -> Result<(), Error> {
        let fed: Vec<(usize, &str)> =
            (0..).zip(COLUMNS).filter(|(_, column)| columns.contains(column)).collect();
        let names = fed.iter().map(|(_, column)| *column).collect::<Vec<_>>().join(", ");
        let places = (1..=fed.len()).map(|place| format!("?{place}")).collect::<Vec<_>>().join(", ");
        let insert = format!("/*keyhole*/ INSERT INTO feed.events ({names}) VALUES ({places})");
        let again = Cell::new(false);
        self.log
            .read(|log| {
                if again.replace(true) {
                    let undo = "/*keyhole*/ DELETE FROM feed.events WHERE ?1 IS NULL OR id > ?1";
                    into.prepare_cached(undo)?.execute([after])?;
                    let undo = "/*keyhole*/ DELETE FROM feed.keyhole_quarantine WHERE ?1 IS NULL OR id > ?1";
                    into.prepare_cached(undo)?.execute([after])?;
                }
                let mut insert = into.prepare_cached(&insert)?;
                copied.clear();
                range(log, after, through, |row| {
                    copied.push(RowDigest { id: row.get(0)?, digest: key.digest(row)? });
                    quarantine::note(row, into)?;
                    // At a time that no window can hold: no page holds the event either.
                    if cell::stand_in("created_at", row.get_ref(1)?).is_none() {
                        return Ok(());
                    }
                    for (place, &(column, name)) in (1..).zip(&fed) {
                        let cell = cell::stand_in(name, row.get_ref(column)?).unwrap_or(ValueRef::Null);
                        insert.raw_bind_parameter(place, rusqlite::types::ToSqlOutput::Borrowed(cell))?;
                    }
                    insert.raw_execute().map(drop)
                })
            })
            .map(drop)
    }

    /// The digests of one range of events after `after` (None: from the first) and up to `through`. True where
    /// `found` holds all that there are; otherwise the next range goes on after its last.
    pub fn digests(
        &self,
        key: &DigestKey,
        after: Option<i64>,
        through: i64,
        found: &mut Vec<RowDigest>,
    ) -> Result<bool, Error> {
        self.log.read(|log| {
            found.clear();
            range(log, after, through, |row| {
                found.push(RowDigest { id: row.get(0)?, digest: key.digest(row)? });
                Ok(())
            })
        })
    }

    /// Copies the first `most` events, all columns, into the main database of another connection; but for one with the
    /// largest id that there can be, after which nothing can be appended.
    /// Returns where their last payload ends.
    pub fn copy_rows(&self, into: &Connection, most: u64) -> Result<u64, Error> {
        let names = COLUMNS.join(", ");
        let insert = format!("INSERT INTO audit_events ({names}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
        let select = format!(
            "SELECT {names} FROM log.audit_events WHERE (?1 IS NULL OR id > ?1) AND id < {} ORDER BY id LIMIT {RANGE_ROWS}",
            i64::MAX
        );
        let (mut copied, mut after, mut end) = (0u64, None::<i64>, 0u64);
        while copied < most {
            crate::interrupt::check()?;
            let again = Cell::new(false);
            let (rows, last, reach) = self.log.read(|log| {
                if again.replace(true) {
                    let undo = "DELETE FROM audit_events WHERE ?1 IS NULL OR id > ?1";
                    into.prepare_cached(undo)?.execute([after])?;
                }
                let (mut count, mut last, mut reach) = (0u64, after, end);
                let mut statement = log.prepare_cached(&select)?;
                let mut insert = into.prepare_cached(&insert)?;
                let mut rows = statement.query([after])?;
                while let Some(row) = rows.next()? {
                    for column in 0..COLUMNS.len() {
                        let cell = rusqlite::types::ToSqlOutput::Borrowed(row.get_ref(column)?);
                        insert.raw_bind_parameter(column + 1, cell)?;
                    }
                    insert.raw_execute()?;
                    last = Some(row.get(0)?);
                    let number = |column| row.get_ref(column).map(|cell| cell.as_i64().unwrap_or(0));
                    let span_end = number(6)?.saturating_add(number(7)?);
                    reach = reach.max(u64::try_from(span_end).unwrap_or(0));
                    count += 1;
                    if copied + count == most {
                        break;
                    }
                }
                Ok((count, last, reach))
            })?;
            if rows == 0 {
                break;
            }
            (copied, after, end) = (copied + rows, last, reach);
        }
        Ok(end)
    }
}

/// Hands over the rows of one range, all columns in their order: as many as one read transaction may take. True where no
/// event of the range is left.
fn range(
    log: &Connection,
    after: Option<i64>,
    through: i64,
    mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<bool> {
    let began = Instant::now();
    let (mut statement, mut read) = (log.prepare_cached(if after.is_some() { AFTER } else { FIRST })?, 0u32);
    let mut rows = match after {
        Some(after) => statement.query((after, through, RANGE_ROWS))?,
        None => statement.query((through, RANGE_ROWS))?,
    };
    while let Some(row) = rows.next()? {
        each(row)?;
        read += 1;
        if read.is_multiple_of(64) && began.elapsed() >= RANGE_TIME {
            return Ok(false);
        }
    }
    Ok(read < RANGE_ROWS)
}

/// All of an event's columns as one text: an expression.
fn joined() -> String {
    COLUMNS.map(|column| format!("ifnull({column}, 'NULL')")).join(" || '|' || ")
}

/// The text of such an expression, whatever bytes it is made of.
fn text(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(String::from_utf8_lossy(row.get_ref(column)?.as_bytes()?).into_owned())
}

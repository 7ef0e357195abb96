//! A snapshot of scratch and log: how it is taken, and the host's own reading of its events, by id or by range.
//!
//! Nothing that a strategy's SQL returned is ever shown: an id is all that is taken from it.
//!
//! An event with an odd cell keeps its place: rows that are only passed over may hold anything, and one that belongs to
//! the page fails it, by name.

use std::cmp::Ordering;

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, OptionalExtension, Row as SqlRow};

use crate::cell;
use crate::digests::DigestKey;
use crate::error::Error;
use crate::fingerprints::{Fingerprints, Wanted};
use crate::limits::PROOF_ROWS;
use crate::model::{Filter, Key, Page, Row, Span, span_at};
use crate::quarantine;
use crate::statement::StatementRunner;

/// A range of the order, from newest to oldest, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The newest key that belongs to it.
    pub newest: Key,
    /// The oldest key that belongs to it.
    pub oldest: Key,
}

const BY_ID: &str = "/*keyhole*/ SELECT id, created_at, actor_id, action, resource_type, resource_id, payload_offset, \
    payload_len FROM log.audit_events WHERE id = ?1";

const BY_RANGE: &str = "/*keyhole*/ SELECT id, created_at, actor_id, action, resource_type, resource_id, payload_offset, \
    payload_len FROM log.audit_events INDEXED BY idx_created_at WHERE created_at BETWEEN ?1 AND ?2 \
    ORDER BY created_at DESC, id DESC";

const IN_RANGE: &str = "/*keyhole*/ SELECT id, created_at FROM log.audit_events INDEXED BY idx_created_at \
    WHERE created_at BETWEEN ?1 AND ?2 ORDER BY created_at DESC, id DESC";

const KEY: &str = "/*keyhole*/ SELECT created_at FROM log.audit_events WHERE id = ?1";

const SPAN: &str =
    "/*keyhole*/ SELECT payload_offset, payload_len, created_at FROM log.audit_events WHERE id = ?1";

/// The host's own reading of the snapshot that a session has taken.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    pub(crate) statements: &'a StatementRunner,
    /// What is known of the log's events; None for a session that has no log.
    pub(crate) fingerprints: Option<&'a Fingerprints>,
    pub(crate) high_water: i64,
    /// Whether scratch has events in quarantine.
    pub(crate) quarantine: bool,
}

/// What a snapshot begins with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pinned {
    /// The log's largest id; 0 where it is empty.
    pub(crate) high_water: i64,
    /// The last event that scratch covers; None without scratch.
    pub(crate) covered: Option<i64>,
    /// Whether scratch has events in quarantine.
    pub(crate) quarantine: bool,
}

impl<'a> Snapshot<'a> {
    /// The largest id; 0 where the log is empty.
    pub fn high_water(&self) -> i64 {
        self.high_water
    }

    /// Begins a transaction on scratch and log. Scratch is read first, so that it never covers an event that the
    /// snapshot does not hold.
    pub(crate) fn pin(statements: &StatementRunner) -> Result<Pinned, Error> {
        let connection = &statements.connection;
        let run = || -> rusqlite::Result<Pinned> {
            if connection.is_autocommit() {
                connection.prepare_cached("/*keyhole*/ BEGIN")?.raw_execute()?;
            }
            let (covered, quarantine) = if statements.has_scratch {
                let covered = "/*keyhole*/ SELECT last, EXISTS (SELECT 1 FROM scratch.keyhole_quarantine) \
                               FROM scratch.keyhole_coverage";
                let read = |row: &SqlRow<'_>| Ok((Some(row.get(0)?), row.get(1)?));
                connection.prepare_cached(covered)?.query_row([], read)?
            } else {
                (None, false)
            };
            let last = "/*keyhole*/ SELECT max(id) FROM log.audit_events";
            let high_water: Option<i64> = connection.prepare_cached(last)?.query_row([], |row| row.get(0))?;
            Ok(Pinned { high_water: high_water.unwrap_or(0), covered, quarantine })
        };
        run().map_err(|error| statements.classify(error))
    }

    /// Whenever another connection has written to the log since the last look, the last event that scratch covers must
    /// still be the one that it took in. `seen` is SQLite's count of such changes at the last look. True where there
    /// was such a change, or no look yet.
    pub(crate) fn check_scratch_fits(&self, seen: &mut Option<i64>) -> Result<bool, Error> {
        let version: i64 = self
            .host("/*keyhole*/ PRAGMA log.data_version")?
            .query_row([], |row| row.get(0))
            .map_err(|error| self.statements.classify(error))?;
        if *seen == Some(version) {
            return Ok(false);
        }
        if self.statements.has_scratch {
            self.check_last_covered()?;
        }
        self.check_quarantine()?;
        *seen = Some(version);
        Ok(true)
    }

    fn check_last_covered(&self) -> Result<(), Error> {
        let stored: Option<(i64, i64, Vec<u8>)> = self
            .host("/*keyhole*/ SELECT last, last_digest, key FROM scratch.keyhole_coverage WHERE n > 0")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()
            .map_err(|error| self.statements.classify(error))?;
        let Some((last, digest, key)) = stored else { return Ok(()) };
        let found = match DigestKey::from_bytes(&key) {
            Some(key) => self.one(BY_ID, last, |row| key.digest(row))?,
            None => None,
        };
        if found == Some(digest.cast_unsigned()) {
            return Ok(());
        }
        Err(Error::ScratchUnfit { why: format!("event {last} is not the one that it covers") })
    }

    /// Whether scratch has events in quarantine.
    pub fn has_quarantine(&self) -> bool {
        self.quarantine
    }

    /// Fails with `ScratchUnfit` where an event in quarantine is no longer as it was when it was fed: mended, mostly.
    fn check_quarantine(&self) -> Result<(), Error> {
        if !self.quarantine {
            return Ok(());
        }
        let connection = &self.statements.connection;
        match quarantine::changed(connection, connection).map_err(|error| self.statements.classify(error))? {
            Some(id) => {
                Err(Error::ScratchUnfit { why: format!("event {id} is not as it was when it was fed") })
            }
            None => Ok(()),
        }
    }

    /// An event's key; None if the snapshot has no such event.
    ///
    /// Fails with `BadCell` where the event's time is not in whole seconds.
    pub fn key(&self, id: i64) -> Result<Option<Key>, Error> {
        let read = self.one(KEY, id, |row| Ok(cell::integer(row.get_ref(0)?)))?;
        match read {
            None => Ok(None),
            Some(Some(created_at)) => Ok(Some(Key { created_at, id })),
            Some(None) => Err(self.bad_cell(id)?),
        }
    }

    /// Appends an event's columns to the page. False if the snapshot has no such event.
    ///
    /// Fails with `BadCell` where the event has an odd cell.
    pub fn push_row(&self, id: i64, page: &mut Page) -> Result<bool, Error> {
        self.with_row(id, |row| push(row, page)).map(|pushed| pushed.is_some())
    }

    /// Appends to the page the events of the range that match, in order, but no more than `most`. False if it gave
    /// up, because it had to pass more than `PROOF_ROWS` that do not match, lie beyond `up_to`, or lie before the
    /// range in its first second.
    ///
    /// Fails with `BadCell` where one of these events has an odd cell.
    pub fn push_range(
        &self,
        range: Range,
        filter: &Filter,
        up_to: i64,
        most: usize,
        page: &mut Page,
    ) -> Result<bool, Error> {
        let filtered = filter.actor_id.is_some() || filter.action.is_some();
        match self.fingerprints {
            _ if !filtered => self.push_all(range, up_to, most, page),
            Some(known) => self.push_filtered(known, range, filter, up_to, most, page),
            None => Ok(false),
        }
        .map_err(|error| self.classified(error))
    }

    /// By the index alone, and by what is known of the events: only rows that may match are read.
    fn push_filtered(
        &self,
        known: &Fingerprints,
        range: Range,
        filter: &Filter,
        up_to: i64,
        most: usize,
        page: &mut Page,
    ) -> Result<bool, Error> {
        let wanted = Wanted::of(filter);
        let (mut walk, mut look) = (
            self.statements.connection.prepare_cached(IN_RANGE)?,
            self.statements.connection.prepare_cached(BY_ID)?,
        );
        let mut entries = walk.query((range.oldest.created_at, range.newest.created_at))?;
        let mut passed = 0;
        while page.rows.len() < most {
            let Some(entry) = entries.next()? else { break };
            let (id, time): (i64, _) = (entry.get(0)?, entry.get_ref(1)?);
            if lies(id, time, range.oldest, Ordering::Less) {
                break;
            }
            passed += 1;
            if passed > PROOF_ROWS {
                return Ok(false);
            }
            if lies(id, time, range.newest, Ordering::Greater)
                || id > up_to
                || known.get(id).is_some_and(|fingerprint| !wanted.allows(fingerprint))
            {
                continue;
            }
            let mut rows = look.query([id])?;
            let Some(row) = rows.next()? else { continue };
            let (actor, action) = (row.get_ref(2)?, row.get_ref(3)?);
            if let (Some(actor), Ok(action)) = (cell::integer(actor), action.as_str()) {
                known.set(id, actor, action);
            }
            if cell::matches(filter, actor, action) {
                push(row, page)?;
                passed -= 1;
            }
        }
        Ok(true)
    }

    /// By rows: where neither actor nor action is asked for, so that all but a few match.
    fn push_all(&self, range: Range, up_to: i64, most: usize, page: &mut Page) -> Result<bool, Error> {
        let mut statement = self.statements.connection.prepare_cached(BY_RANGE)?;
        let mut rows = statement.query((range.oldest.created_at, range.newest.created_at))?;
        let mut passed = 0;
        while page.rows.len() < most {
            let Some(row) = rows.next()? else { break };
            let (id, time): (i64, _) = (row.get(0)?, row.get_ref(1)?);
            if lies(id, time, range.oldest, Ordering::Less) {
                break;
            }
            if lies(id, time, range.newest, Ordering::Greater) || id > up_to {
                passed += 1;
                if passed > PROOF_ROWS {
                    return Ok(false);
                }
                continue;
            }
            push(row, page)?;
        }
        Ok(true)
    }

    /// Where an event's payload lies: offset and length, as the log has them; and the place from which a walk goes on
    /// past the event. None if the snapshot has no such event.
    pub(crate) fn payload_place(&self, id: i64) -> Result<Option<(i64, i64, Option<Key>)>, Error> {
        let read = self.one(SPAN, id, |row| {
            let (offset, len) = (cell::integer(row.get_ref(0)?), cell::integer(row.get_ref(1)?));
            Ok((offset.zip(len), cell::after(id, row.get_ref(2)?)))
        })?;
        match read {
            None => Ok(None),
            Some((Some((offset, len)), after)) => Ok(Some((offset, len, after))),
            Some((None, _)) => Err(self.bad_cell(id)?),
        }
    }

    /// The error of an event that has an odd cell.
    fn bad_cell(&self, id: i64) -> Result<Error, Error> {
        let error = self.with_row(id, |row| Ok(cell::bad(row)?))?.flatten();
        error.ok_or_else(|| Error::Engine(format!("event {id} was read in two ways")))
    }

    /// What is made of an event's row; None if the snapshot has no such event.
    pub(crate) fn with_row<T>(
        &self,
        id: i64,
        make: impl FnOnce(&SqlRow<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut statement = self.host(BY_ID)?;
        let mut rows = statement.query([id]).map_err(|error| self.statements.classify(error))?;
        match rows.next().map_err(|error| self.statements.classify(error))? {
            Some(row) => make(row).map(Some).map_err(|error| self.classified(error)),
            None => Ok(None),
        }
    }

    fn classified(&self, error: Error) -> Error {
        match error {
            Error::Sqlite(error) => self.statements.classify(error),
            other => other,
        }
    }

    pub(crate) fn host(&self, sql: &'static str) -> Result<CachedStatement<'a>, Error> {
        self.statements.connection.prepare_cached(sql).map_err(|error| self.statements.classify(error))
    }

    fn one<T>(
        &self,
        sql: &'static str,
        id: i64,
        get: impl FnOnce(&SqlRow<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        self.host(sql)?.query_row([id], get).optional().map_err(|error| self.statements.classify(error))
    }
}

/// Whether an event's place compares so with a key.
fn lies(id: i64, time: ValueRef<'_>, key: Key, order: Ordering) -> bool {
    cell::compare(id, time, key) == Some(order)
}

/// Appends a row of the contract's columns to the page. Fails with `BadCell` where a cell is odd.
pub(super) fn push(row: &SqlRow<'_>, page: &mut Page) -> Result<(), Error> {
    match typed(row, page)? {
        Some(row) => page.rows.push(row),
        None => {
            return Err(
                cell::bad(row)?.unwrap_or_else(|| Error::Engine("a row was read in two ways".to_owned()))
            );
        }
    }
    Ok(())
}

/// The row, its text in the page's buffer; None where a cell is odd.
fn typed(row: &SqlRow<'_>, page: &mut Page) -> rusqlite::Result<Option<Row>> {
    let number = |column: usize| row.get_ref(column).map(cell::integer);
    let (Some(id), Some(created_at), Some(actor_id), Some(payload_offset), Some(payload_len)) =
        (number(0)?, number(1)?, number(2)?, number(6)?, number(7)?)
    else {
        return Ok(None);
    };
    if !(1..i64::MAX).contains(&id) {
        return Ok(None);
    }
    let mut text = |column: usize| -> rusqlite::Result<Option<Span>> {
        let Ok(piece) = row.get_ref(column)?.as_str() else { return Ok(None) };
        let span = span_at(page.text.len(), piece.len());
        page.text.push_str(piece);
        Ok(Some(span))
    };
    let (Some(action), Some(resource_type), Some(resource_id)) = (text(3)?, text(4)?, text(5)?) else {
        return Ok(None);
    };
    let payload = Span::default();
    Ok(Some(Row {
        id,
        created_at,
        actor_id,
        action,
        resource_type,
        resource_id,
        payload_offset,
        payload_len,
        payload,
    }))
}

//! A snapshot of scratch and log: how it is taken, and the host's own reading of its events, by id or by range.
//!
//! Nothing that a strategy's SQL returned is ever shown: an id is all that is taken from it.

use rusqlite::{CachedStatement, OptionalExtension, Row as SqlRow};

use crate::digests::DigestKey;
use crate::error::Error;
use crate::fingerprints::{Fingerprints, Wanted};
use crate::limits::PROOF_ROWS;
use crate::model::{Filter, Key, Page, Row, Span, span_at};
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

const SPAN: &str = "/*keyhole*/ SELECT payload_offset, payload_len FROM log.audit_events WHERE id = ?1";

/// The host's own reading of the snapshot that a session has taken.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    pub(crate) statements: &'a StatementRunner,
    /// What is known of the log's events; None for a session that has no log.
    pub(crate) fingerprints: Option<&'a Fingerprints>,
    pub(crate) high_water: i64,
}

impl<'a> Snapshot<'a> {
    /// The largest id; 0 where the log is empty.
    pub fn high_water(&self) -> i64 {
        self.high_water
    }

    /// Begins a transaction on scratch and log. The log's last event, and the last that scratch covers: scratch is read
    /// first, so that it never covers an event that the snapshot does not hold.
    pub(crate) fn pin(statements: &StatementRunner) -> Result<(i64, Option<i64>), Error> {
        let connection = &statements.connection;
        let run = || -> rusqlite::Result<(i64, Option<i64>)> {
            if connection.is_autocommit() {
                connection.prepare_cached("/*keyhole*/ BEGIN")?.raw_execute()?;
            }
            let covered = if statements.has_scratch {
                let covered = "/*keyhole*/ SELECT last FROM scratch.keyhole_coverage";
                Some(connection.prepare_cached(covered)?.query_row([], |row| row.get(0))?)
            } else {
                None
            };
            let last = "/*keyhole*/ SELECT max(id) FROM log.audit_events";
            let high_water: Option<i64> = connection.prepare_cached(last)?.query_row([], |row| row.get(0))?;
            Ok((high_water.unwrap_or(0), covered))
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

    /// An event's key; None if the snapshot has no such event.
    pub fn key(&self, id: i64) -> Result<Option<Key>, Error> {
        let created_at = self.one(KEY, id, |row| row.get(0))?;
        Ok(created_at.map(|created_at| Key { created_at, id }))
    }

    /// Appends an event's columns to the page. False if the snapshot has no such event.
    pub fn push_row(&self, id: i64, page: &mut Page) -> Result<bool, Error> {
        let mut statement = self.host(BY_ID)?;
        let mut rows = statement.query([id]).map_err(|error| self.statements.classify(error))?;
        match rows.next().map_err(|error| self.statements.classify(error))? {
            Some(row) => push(row, page).map(|()| true).map_err(|error| self.statements.classify(error)),
            None => Ok(false),
        }
    }

    /// Appends to the page the events of the range that match, in order, but no more than `most`. False if it gave
    /// up, because it had to pass more than `PROOF_ROWS` that do not match, lie beyond `up_to`, or lie before the
    /// range in its first second.
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
        .map_err(|error| self.statements.classify(error))
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
    ) -> rusqlite::Result<bool> {
        let wanted = Wanted::of(filter);
        let (mut walk, mut look) = (
            self.statements.connection.prepare_cached(IN_RANGE)?,
            self.statements.connection.prepare_cached(BY_ID)?,
        );
        let mut entries = walk.query((range.oldest.created_at, range.newest.created_at))?;
        let mut passed = 0;
        while page.rows.len() < most {
            let Some(entry) = entries.next()? else { break };
            let key = Key { created_at: entry.get(1)?, id: entry.get(0)? };
            if key < range.oldest {
                break;
            }
            passed += 1;
            if passed > PROOF_ROWS {
                return Ok(false);
            }
            if key > range.newest
                || key.id > up_to
                || known.get(key.id).is_some_and(|fingerprint| !wanted.allows(fingerprint))
            {
                continue;
            }
            let mut rows = look.query([key.id])?;
            let Some(row) = rows.next()? else { continue };
            let (actor, action) = (row.get(2)?, row.get_ref(3)?.as_str()?);
            known.set(key.id, actor, action);
            if filter.actor_id.is_none_or(|wanted| wanted == actor)
                && filter.action.as_deref().is_none_or(|wanted| wanted == action)
            {
                push(row, page)?;
                passed -= 1;
            }
        }
        Ok(true)
    }

    /// By rows: where neither actor nor action is asked for, so that all but a few match.
    fn push_all(&self, range: Range, up_to: i64, most: usize, page: &mut Page) -> rusqlite::Result<bool> {
        let mut statement = self.statements.connection.prepare_cached(BY_RANGE)?;
        let mut rows = statement.query((range.oldest.created_at, range.newest.created_at))?;
        let mut passed = 0;
        while page.rows.len() < most {
            let Some(row) = rows.next()? else { break };
            let key = Key { created_at: row.get(1)?, id: row.get(0)? };
            if key < range.oldest {
                break;
            }
            if key > range.newest || key.id > up_to {
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

    /// Where an event's payload lies: offset and length, as the log has them.
    pub(crate) fn payload_place(&self, id: i64) -> Result<Option<(i64, i64)>, Error> {
        self.one(SPAN, id, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn host(&self, sql: &'static str) -> Result<CachedStatement<'a>, Error> {
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

pub(super) fn push(row: &SqlRow<'_>, page: &mut Page) -> rusqlite::Result<()> {
    let mut text = |column: usize| -> rusqlite::Result<Span> {
        let piece = row.get_ref(column)?.as_str()?;
        let span = span_at(page.text.len(), piece.len());
        page.text.push_str(piece);
        Ok(span)
    };
    let (action, resource_type, resource_id) = (text(3)?, text(4)?, text(5)?);
    page.rows.push(Row {
        id: row.get(0)?,
        created_at: row.get(1)?,
        actor_id: row.get(2)?,
        action,
        resource_type,
        resource_id,
        payload_offset: row.get(6)?,
        payload_len: row.get(7)?,
        payload: Span::default(),
    });
    Ok(())
}

//! The host's own reading of events: their columns by id or by range, their payloads by span.
//!
//! Nothing that a strategy's SQL returned is ever shown: an id is all that is taken from it.

use rusqlite::{CachedStatement, OptionalExtension, Row as SqlRow};

use crate::error::Error;
use crate::limits::PROOF_ROWS;
use crate::log::marks::{Marks, Wanted};
use crate::log::session::Session;
use crate::page::answer::{Row, span_at};
use crate::page::{Filter, Key, Page, Span};

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

const TEXT: &str = "/*keyhole*/ SELECT id || '|' || created_at || '|' || actor_id || '|' || action || '|' || \
    resource_type || '|' || resource_id || '|' || payload_offset || '|' || payload_len FROM log.audit_events WHERE id = ?1";

impl Session {
    /// An event's key; None if the snapshot has no such event.
    pub fn key(&self, id: i64) -> Result<Option<Key>, Error> {
        let created_at = self.one(KEY, id, |row| row.get(0))?;
        Ok(created_at.map(|created_at| Key { created_at, id }))
    }

    /// All of an event's columns as one text; None if the snapshot has no such event.
    pub fn row_text(&self, id: i64) -> Result<Option<String>, Error> {
        self.one(TEXT, id, |row| row.get(0))
    }

    /// Appends an event's columns to the page. False if the snapshot has no such event.
    pub(crate) fn push_row(&self, id: i64, page: &mut Page) -> Result<bool, Error> {
        let mut statement = self.host(BY_ID)?;
        let mut rows = statement.query([id]).map_err(|error| self.classify(error))?;
        match rows.next().map_err(|error| self.classify(error))? {
            Some(row) => push(row, page).map(|()| true).map_err(|error| self.classify(error)),
            None => Ok(false),
        }
    }

    /// Appends to the page the events of the range that match, in order, but no more than `most`. False if it gave
    /// up, because it had to pass more than `PROOF_ROWS` that do not match, lie beyond `up_to`, or lie before the
    /// range in its first second.
    pub(crate) fn push_range(
        &self,
        range: Range,
        filter: &Filter,
        up_to: i64,
        most: usize,
        page: &mut Page,
    ) -> Result<bool, Error> {
        let filtered = filter.actor_id.is_some() || filter.action.is_some();
        match self.marks() {
            _ if !filtered => self.push_all(range, up_to, most, page),
            Some(marks) => self.push_marked(marks, range, filter, up_to, most, page),
            None => Ok(false),
        }
        .map_err(|error| self.classify(error))
    }

    /// By the index alone, and by what is known of the events: only rows that may match are read.
    fn push_marked(
        &self,
        marks: &Marks,
        range: Range,
        filter: &Filter,
        up_to: i64,
        most: usize,
        page: &mut Page,
    ) -> rusqlite::Result<bool> {
        let wanted = Wanted::of(filter);
        let (mut walk, mut look) =
            (self.connection.prepare_cached(IN_RANGE)?, self.connection.prepare_cached(BY_ID)?);
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
                || marks.get(key.id).is_some_and(|mark| !wanted.allows(mark))
            {
                continue;
            }
            let mut rows = look.query([key.id])?;
            let Some(row) = rows.next()? else { continue };
            let (actor, action) = (row.get(2)?, row.get_ref(3)?.as_str()?);
            marks.set(key.id, actor, action);
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
        let mut statement = self.connection.prepare_cached(BY_RANGE)?;
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

    /// Reads an event's payload line for the strategy, once a call.
    pub fn payload(&mut self, id: i64) -> Result<&[u8], Error> {
        let span = if let Some(span) = self.held_payload(id) {
            span
        } else {
            self.budget.check(&self.limits)?;
            let found = self.one(SPAN, id, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
            let (offset, len) = found.ok_or(Error::UnknownEvent { id })?;
            let span = self.read_payload(id, offset, len)?;
            self.payload_spans.push((id, span));
            span
        };
        let start = span.start as usize;
        Ok(self.payload_bytes.get(start..start + span.len as usize).unwrap_or_default())
    }

    /// Gives every row of the page its payload, in the page's own buffer. Payloads that the strategy
    /// has read in this call are not read again.
    pub(crate) fn fill_payloads(&mut self, page: &mut Page) -> Result<(), Error> {
        // A file may claim any length.
        let lengths = page.rows.iter().filter_map(|row| usize::try_from(row.payload_len).ok());
        let wanted = lengths.fold(0, usize::saturating_add);
        let allowed = usize::try_from(self.limits.payload_bytes).unwrap_or(usize::MAX);
        self.payload_bytes.reserve(wanted.min(allowed).saturating_sub(self.payload_bytes.len()));
        for row in &mut page.rows {
            row.payload = match self.held_payload(row.id) {
                Some(span) => span,
                None => self.read_payload(row.id, row.payload_offset, row.payload_len)?,
            };
        }
        page.payloads = std::mem::take(&mut self.payload_bytes);
        Ok(())
    }

    fn held_payload(&self, id: i64) -> Option<Span> {
        self.payload_spans.iter().find(|(held, _)| *held == id).map(|(_, span)| *span)
    }

    fn read_payload(&mut self, id: i64, offset: i64, len: i64) -> Result<Span, Error> {
        let allowed = self.limits.payload_bytes;
        let room = allowed.saturating_sub(self.ledger.payload_bytes);
        let mut bytes = std::mem::take(&mut self.payload_bytes);
        let start = bytes.len();
        let outcome = self.payload_file().and_then(|file| file.read(id, offset, len, room, &mut bytes));
        let span = span_at(start, bytes.len() - start);
        self.payload_bytes = bytes;
        match outcome {
            Ok(()) => {
                self.ledger.payload_reads += 1;
                self.ledger.payload_bytes += u64::from(span.len);
                Ok(span)
            }
            Err(Error::Budget { .. }) => Err(Error::Budget { limit: "payload_bytes", allowed }),
            Err(error) => Err(error),
        }
    }

    fn host(&self, sql: &'static str) -> Result<CachedStatement<'_>, Error> {
        self.connection.prepare_cached(sql).map_err(|error| self.classify(error))
    }

    fn one<T>(
        &self,
        sql: &'static str,
        id: i64,
        get: impl FnOnce(&SqlRow<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        self.host(sql)?.query_row([id], get).optional().map_err(|error| self.classify(error))
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

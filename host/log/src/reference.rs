//! What decides a page where the log has odd cells: the page that the live system would give, by its own statement; and
//! which pages the stand-ins of a strategy's feed could touch.

use std::ops::RangeInclusive;

use rusqlite::{OptionalExtension, Row as SqlRow, params};

use crate::cell;
use crate::error::Error;
use crate::model::{Event, Page, PageRequest, Position};
use crate::snapshot::Snapshot;

const STAND_IN: &str =
    "/*keyhole*/ SELECT id FROM scratch.keyhole_quarantine WHERE second BETWEEN ?1 AND ?2 LIMIT 1";

const TAIL: &str = "/*keyhole*/ SELECT id, created_at, actor_id, action, resource_type, resource_id, payload_offset, \
    payload_len FROM log.audit_events WHERE id > ?1 ORDER BY id";

const BY_PAGE: &str = "/*keyhole*/ SELECT id FROM log.audit_events \
    WHERE created_at >= ?1 AND created_at <= ?2 AND (?3 IS NULL OR actor_id = ?3) AND (?4 IS NULL OR action = ?4) \
    AND id <= ?5 ORDER BY created_at DESC, id DESC LIMIT ?6 OFFSET ?7";

const BY_KEY: &str = "/*keyhole*/ SELECT id FROM log.audit_events \
    WHERE created_at >= ?1 AND created_at <= ?2 AND (?3 IS NULL OR actor_id = ?3) AND (?4 IS NULL OR action = ?4) \
    AND id <= ?5 AND (created_at, id) < (?7, ?8) ORDER BY created_at DESC, id DESC LIMIT ?6";

impl Snapshot<'_> {
    /// The ids of the page that answers the request, whatever its events' cells hold. It costs what a page costs the
    /// live system, within the running call's budget.
    pub fn live_page(&self, request: &PageRequest) -> Result<Vec<i64>, Error> {
        let filter = &request.filter;
        let bound = request.up_to.unwrap_or(i64::MAX);
        let (from, to, actor, action) =
            (filter.from_ts, filter.to_ts, filter.actor_id, filter.action.as_deref());
        let run = || -> rusqlite::Result<Vec<i64>> {
            let connection = &self.statements.connection;
            match request.position {
                Position::After(key) => {
                    let mut statement = connection.prepare_cached(BY_KEY)?;
                    let given =
                        params![from, to, actor, action, bound, request.page_size, key.created_at, key.id];
                    statement.query_map(given, |row| row.get(0))?.collect()
                }
                Position::Page(_) => {
                    let skipped = i64::try_from(request.skipped().unwrap_or(0)).unwrap_or(i64::MAX);
                    let mut statement = connection.prepare_cached(BY_PAGE)?;
                    let given = params![from, to, actor, action, bound, request.page_size, skipped];
                    statement.query_map(given, |row| row.get(0))?.collect()
                }
            }
        };
        run().map_err(|error| self.statements.classify(error))
    }

    /// Appends to the page what a strategy's feed holds of an event, with stand-ins for odd cells. False if the snapshot
    /// has no such event, or one that is not fed.
    pub fn push_stand_in(&self, id: i64, page: &mut Page) -> Result<bool, Error> {
        Ok(self.with_row(id, |row| push_stand_in(row, page))?.unwrap_or(false))
    }

    /// An event that the feed has in one of these seconds and the log between that second and the next.
    pub fn stand_in(&self, seconds: RangeInclusive<i64>) -> Result<Option<i64>, Error> {
        let id =
            self.host(STAND_IN)?.query_row((seconds.start(), seconds.end()), |row| row.get(0)).optional();
        id.map_err(|error| self.statements.classify(error))
    }

    /// Whether the log holds an event with an odd cell that scratch does not cover yet.
    pub fn has_odd_tail(&self, covered: i64) -> Result<bool, Error> {
        let run = || -> rusqlite::Result<bool> {
            let mut statement = self.statements.connection.prepare_cached(TAIL)?;
            let mut rows = statement.query([covered])?;
            while let Some(row) = rows.next()? {
                if cell::odd(row)?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        run().map_err(|error| self.statements.classify(error))
    }
}

/// Appends what a strategy's feed holds of a row. False where it is not fed.
fn push_stand_in(row: &SqlRow<'_>, page: &mut Page) -> Result<bool, Error> {
    let fed = |column: &str, place| row.get_ref(place).map(|cell| cell::stand_in(column, cell));
    let Some(created_at) = fed("created_at", 1)?.and_then(cell::integer) else { return Ok(false) };
    let actor_id = fed("actor_id", 2)?.and_then(cell::integer).unwrap_or(cell::STAND_IN_ACTOR);
    let action = fed("action", 3)?.and_then(|cell| cell.as_str().ok()).unwrap_or(cell::STAND_IN_TEXT);
    let (resource_type, resource_id, payload) = ("", "", &b""[..]);
    page.push(Event { id: row.get(0)?, created_at, actor_id, action, resource_type, resource_id, payload });
    Ok(true)
}

//! Every event of a log in its one order, read natively in short ranges: what whole walks are held against.

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::Log;
use crate::error::Error;
use crate::limits::HOST_WAIT;
use crate::log_reader::LogReader;
use crate::model::span_at;
use crate::model::{Filter, Page, PageRequest, Position};
use crate::payload::{PayloadFile, STAND_IN};
use crate::snapshot::push;

/// Events of one read transaction. In a large log each lies on a page of its own: some milliseconds.
const RANGE_ROWS: u32 = 500;

/// The events after a key, or all where there is none.
const RANGE: &str = "/*keyhole*/ SELECT id, created_at, actor_id, action, resource_type, resource_id, payload_offset, \
    payload_len FROM log.audit_events INDEXED BY idx_created_at WHERE created_at <= ?1 AND id <= ?3 \
    AND (?2 IS NULL OR created_at < ?1 OR id < ?2) ORDER BY created_at DESC, id DESC LIMIT ?4";

/// Events of one read transaction, and the place of the last one, odd or not.
type Piece = (Page, Option<(Value, i64)>);

/// A scan from the newest event to the oldest, but for those that have an odd cell: no page shows them.
///
/// Rows never change and ids only grow, so ranges that are bounded by the largest id at the start are one
/// snapshot, though the log's writer never waits for longer than one of them. A payload that cannot be shown has the
/// stand-in that it has in all comparisons.
pub struct Ordered {
    log: LogReader,
    payloads: PayloadFile,
    up_to: i64,
    /// Time and id of the last event that was read, odd or not.
    last: Option<(Value, i64)>,
}

impl Ordered {
    /// Opens the log. Nothing is read yet but its largest id.
    pub fn open(log: &Log) -> Result<Self, Error> {
        let reader = LogReader::open(&log.database, HOST_WAIT)?;
        let up_to: Option<i64> = reader.read(|log| {
            log.query_row("/*keyhole*/ SELECT max(id) FROM log.audit_events", [], |row| row.get(0))
        })?;
        let payloads = PayloadFile::open(&log.payloads)?;
        Ok(Self { log: reader, payloads, up_to: up_to.unwrap_or(0), last: None })
    }

    /// In how many ranges a log of so many events is read.
    pub fn ranges(events: u64) -> u64 {
        events.div_ceil(u64::from(RANGE_ROWS))
    }

    /// The largest id that it shows.
    pub fn up_to(&self) -> i64 {
        self.up_to
    }

    /// The next events, each with its payload; none at the end.
    pub fn range(&mut self) -> Result<Page, Error> {
        let mut page = loop {
            let (page, last) = self.log.read(|log| self.rows(log))??;
            let ended = last.is_none();
            self.last = last.or(self.last.take());
            if ended || !page.is_empty() {
                break page;
            }
        };
        for row in &mut page.rows {
            let start = page.payloads.len();
            let (id, offset, len) = (row.id, row.payload_offset, row.payload_len);
            match self.payloads.read(id, offset, len, u64::MAX, &mut page.payloads) {
                Err(error) if error.hidden().is_some() => page.payloads.extend_from_slice(STAND_IN),
                outcome => outcome?,
            }
            row.payload = span_at(start, page.payloads.len() - start);
        }
        Ok(page)
    }

    /// One range, and the place of the last event in it, odd or not.
    fn rows(&self, log: &Connection) -> rusqlite::Result<Result<Piece, Error>> {
        let request = PageRequest {
            filter: Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None },
            position: Position::Page(1),
            page_size: RANGE_ROWS,
            up_to: Some(self.up_to),
        };
        let mut page = Page::empty(request, self.up_to);
        let (newest, before) = match &self.last {
            Some((time, id)) => (time.clone(), Some(*id)),
            None => (Value::Integer(i64::MAX), None),
        };
        let mut statement = log.prepare_cached(RANGE)?;
        let mut rows = statement.query((newest, before, self.up_to, RANGE_ROWS))?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            last = Some((Value::try_from(row.get_ref(1)?).map_err(rusqlite::Error::from)?, row.get(0)?));
            match push(row, &mut page) {
                Ok(()) | Err(Error::BadCell { .. }) => {}
                Err(Error::Sqlite(error)) => return Err(error),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok((page, last)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dataset;

    #[test]
    fn every_event_comes_once_in_order_across_ranges_and_none_that_came_later() {
        let folder = tempfile::tempdir().unwrap();
        dataset::seed(folder.path(), 1_767_052_800, 1_700, true, &mut |_| Ok(())).unwrap();
        let writer = Connection::open(folder.path().join("audit.db")).unwrap();
        // A second that holds more events than a range, so that a range ends within it.
        writer.execute("UPDATE audit_events SET created_at = 1767000000 WHERE id % 2 = 0", []).unwrap();
        let mut ordered = Ordered::open(&Log::open(folder.path()).unwrap()).unwrap();
        let mut found = Vec::new();
        loop {
            let page = ordered.range().unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.events().all(|event| event.payload.ends_with(b"}\n")));
            found.extend(page.events().map(|event| (event.created_at, event.id)));
            let late = "INSERT INTO audit_events SELECT NULL, 0, 1, 'LOGIN', 'USER', 'USER-1', 0, 100";
            writer.execute(late, []).unwrap();
        }
        let mut statement = writer
            .prepare(
                "SELECT created_at, id FROM audit_events WHERE id <= 1700 ORDER BY created_at DESC, id DESC",
            )
            .unwrap();
        let expected = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(found, expected.map(Result::unwrap).collect::<Vec<(i64, i64)>>());
        assert_eq!((ordered.up_to(), Ordered::ranges(1_700)), (1_700, 4));
    }
}

//! What request streams need to know of a log.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::Log;
use crate::cell;
use crate::error::Error;
use crate::limits::HOST_WAIT;
use crate::log_reader::LogReader;

/// Events of one read transaction while a log is summed up: some milliseconds.
const RANGE_ROWS: i64 = 10_000;

/// Distinct actors and actions that a summary keeps.
const MOST_ACTORS: usize = 50_000;
const MOST_ACTIONS: usize = 1_000;

/// A summary of a log: drawn from once, before streams are made.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// How many events.
    pub rows: u64,
    /// The largest id; 0 for an empty log.
    pub high_water: i64,
    /// Smallest and largest `created_at`; both 0 for an empty log.
    pub oldest: i64,
    /// See `oldest`.
    pub newest: i64,
    /// The `now` of the contract's data set, where the log begins with that data set.
    pub contract_now: Option<i64>,
    /// Distinct actors, ascending; at most 50,000 of them.
    pub actors: Vec<i64>,
    /// Distinct actions, ascending; at most 1,000 of them.
    pub actions: Vec<String>,
    /// Some seconds that hold more than one event, at most 64 of them, among the oldest 20,000 events.
    pub ties: Vec<i64>,
}

impl Profile {
    /// Sums the log up, in short read transactions. `recognise` tells the contract's data set by the
    /// columns of the first event.
    pub fn of(log: &Log, recognise: impl Fn(&FirstRow) -> Option<i64>) -> Result<Self, Error> {
        let log = LogReader::open(&log.database, HOST_WAIT)?;
        let mut tally = Tally::default();
        let mut after = None;
        loop {
            crate::interrupt::check()?;
            let (last, range) = log.read(|connection| Tally::of_range(connection, after))?;
            tally.add(range);
            match last {
                Some(id) => after = Some(id),
                None => break,
            }
        }
        let (ties, first) = log.read(|connection| {
            let mut ties = connection.prepare(
                "SELECT created_at FROM (SELECT created_at FROM log.audit_events INDEXED BY idx_created_at \
                 WHERE typeof(created_at) = 'integer' ORDER BY created_at LIMIT 20000) GROUP BY created_at HAVING count(*) > 1 LIMIT 64",
            )?;
            let ties = ties.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
            Ok((ties, first_row(connection)?))
        })?;
        Ok(Self { ties, contract_now: first.and_then(|first| recognise(&first)), ..tally.profile() })
    }
}

/// The first event's columns.
#[derive(Clone, Debug)]
pub struct FirstRow {
    /// See [`crate::folder::COLUMNS`].
    pub id: i64,
    /// Unix seconds.
    pub created_at: i64,
    /// Who did it.
    pub actor_id: i64,
    /// What was done.
    pub action: String,
    /// To what kind of thing.
    pub resource_type: String,
    /// To which thing.
    pub resource_id: String,
    /// Where its line begins.
    pub payload_offset: i64,
    /// How long its line is.
    pub payload_len: i64,
}

/// None where it has an odd cell, too.
fn first_row(connection: &Connection) -> rusqlite::Result<Option<FirstRow>> {
    let mut statement = connection.prepare(
        "SELECT id, created_at, actor_id, action, resource_type, resource_id, payload_offset, payload_len \
         FROM log.audit_events ORDER BY id LIMIT 1",
    )?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if cell::odd(row)?.is_some() {
        return Ok(None);
    }
    Ok(Some(FirstRow {
        id: row.get(0)?,
        created_at: row.get(1)?,
        actor_id: row.get(2)?,
        action: row.get(3)?,
        resource_type: row.get(4)?,
        resource_id: row.get(5)?,
        payload_offset: row.get(6)?,
        payload_len: row.get(7)?,
    }))
}

#[derive(Default)]
struct Tally {
    rows: u64,
    high_water: i64,
    times: Option<(i64, i64)>,
    actors: BTreeSet<i64>,
    actions: BTreeSet<String>,
}

impl Tally {
    /// The events of one range, and the last of their ids, or None where there are none left.
    fn of_range(connection: &Connection, after: Option<i64>) -> rusqlite::Result<(Option<i64>, Self)> {
        let mut tally = Self::default();
        let mut statement = connection.prepare_cached(
            "SELECT id, created_at, actor_id, action FROM log.audit_events \
             WHERE (?1 IS NULL OR id > ?1) ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query((after, RANGE_ROWS))?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            last = Some(id);
            tally.rows += 1;
            tally.high_water = id;
            // Cells that are odd are not summed up.
            if let Ok(created_at) = row.get_ref(1)?.as_i64() {
                let (oldest, newest) = tally.times.unwrap_or((created_at, created_at));
                tally.times = Some((oldest.min(created_at), newest.max(created_at)));
            }
            if let Ok(actor) = row.get_ref(2)?.as_i64()
                && tally.actors.len() < MOST_ACTORS
            {
                tally.actors.insert(actor);
            }
            if let Ok(action) = row.get_ref(3)?.as_str()
                && tally.actions.len() < MOST_ACTIONS
                && !tally.actions.contains(action)
            {
                tally.actions.insert(action.to_owned());
            }
        }
        Ok((last, tally))
    }

    /// Takes in a range that follows.
    fn add(&mut self, range: Self) {
        self.rows += range.rows;
        self.high_water = self.high_water.max(range.high_water);
        self.times = match (self.times, range.times) {
            (Some((oldest, newest)), Some(times)) => Some((oldest.min(times.0), newest.max(times.1))),
            (known, new) => known.or(new),
        };
        for actor in range.actors {
            if self.actors.len() < MOST_ACTORS {
                self.actors.insert(actor);
            }
        }
        for action in range.actions {
            if self.actions.len() < MOST_ACTIONS {
                self.actions.insert(action);
            }
        }
    }

    fn profile(self) -> Profile {
        let (oldest, newest) = self.times.unwrap_or_default();
        Profile {
            rows: self.rows,
            high_water: self.high_water,
            oldest,
            newest,
            contract_now: None,
            actors: self.actors.into_iter().collect(),
            actions: self.actions.into_iter().collect(),
            ties: Vec::new(),
        }
    }
}

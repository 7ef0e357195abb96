//! The log's high-water, for whoever asks without asking for a page.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::error::Error;
use crate::log::budget::Budget;
use crate::log::connection::{self, Use, classify, patiently};
use crate::log::gate::Gate;
use crate::log::{Identity, Log};

/// How long a commit of the writer's is waited for.
const WAIT: Duration = Duration::from_millis(400);

/// A connection that reads nothing but the largest id: some ten microseconds.
pub(super) struct Water {
    log: Log,
    open: Mutex<Option<Gauge>>,
    /// The file that was found replaced, until whatever is derived from it fits the new one.
    replaced: Mutex<Option<PathBuf>>,
}

struct Gauge {
    connection: Connection,
    database: Identity,
    payloads: Identity,
}

impl Water {
    pub(super) fn new(log: &Log) -> Self {
        Self { log: log.clone(), open: Mutex::new(None), replaced: Mutex::new(None) }
    }

    /// The largest id; 0 for an empty log. Where a file of the log was replaced it says so once, and reads
    /// the new one from then on, as the workers do.
    pub(super) fn level(&self) -> Result<i64, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gauge) = &*open {
            for (path, known) in [(&self.log.database, gauge.database), (&self.log.payloads, gauge.payloads)]
            {
                if Identity::of(path)? != known {
                    *open = None;
                    *self.replaced.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.clone());
                    return Err(Error::LogReplaced { path: path.clone() });
                }
            }
        }
        let gauge = match open.take() {
            Some(gauge) => gauge,
            None => self.gauge()?,
        };
        // Left closed after an error: whatever it was, a new connection sees it or does not.
        let level = patiently(WAIT, || {
            let read = || -> rusqlite::Result<Option<i64>> {
                gauge
                    .connection
                    .prepare_cached("SELECT max(id) FROM log.audit_events")?
                    .query_row([], |row| row.get(0))
            };
            read().map_err(|error| classify(error, &self.log.database))
        });
        match level {
            Ok(level) => {
                *open = Some(gauge);
                Ok(level.unwrap_or(0))
            }
            Err(Error::Busy) => {
                *open = Some(gauge);
                Err(Error::Busy)
            }
            Err(error) => Err(error),
        }
    }

    /// The file of the log that was replaced, where not everything is known yet to fit the new one.
    pub(super) fn replaced(&self) -> Option<PathBuf> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything fits the file that took this one's place.
    pub(super) fn settled(&self, path: &Path) {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.take_if(|known| known == path);
    }

    fn gauge(&self) -> Result<Gauge, Error> {
        let (gate, budget) = (Gate::of_host(), Arc::new(Budget::default()));
        let payloads = Identity::of(&self.log.payloads)?;
        let database = Identity::of(&self.log.database)?;
        let connection = patiently(WAIT, || connection::open(Use::Log(&self.log), &gate, &budget))?;
        if Identity::of(&self.log.database)? != database {
            return Err(Error::LogReplaced { path: self.log.database.clone() });
        }
        Ok(Gauge { connection, database, payloads })
    }
}

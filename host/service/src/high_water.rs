//! The log's high-water mark, for readers that ask for no page.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;

use keyhole_log::authorizer::Authorizer;
use keyhole_log::budget::Budget;
use keyhole_log::connection::{self, Use, classify, patiently};
use keyhole_log::error::Error;
use keyhole_log::{Identity, Log};

/// How long a commit of the writer's is waited for.
const WAIT: Duration = Duration::from_millis(400);

/// Reads the log's largest id over a connection that does nothing else: some ten microseconds.
pub(super) struct HighWaterReader {
    log: Log,
    open: Mutex<Option<Open>>,
    /// The file of the log that was found replaced, until everything derived from it fits the new one.
    replaced: Mutex<Option<PathBuf>>,
}

/// A connection, and the files that it was opened on.
struct Open {
    connection: Connection,
    database: Identity,
    payloads: Identity,
}

impl HighWaterReader {
    pub(super) fn new(log: &Log) -> Self {
        Self { log: log.clone(), open: Mutex::default(), replaced: Mutex::default() }
    }

    /// The largest id; 0 for an empty log. Where a file of the log was replaced this fails with `LogReplaced`
    /// once, and reads the new file from then on, as the workers do.
    pub(super) fn read(&self) -> Result<i64, Error> {
        let mut open = self.open.lock();
        if let Some(known) = &*open {
            for (path, known) in [(&self.log.database, known.database), (&self.log.payloads, known.payloads)]
            {
                if Identity::of(path)? != known {
                    *open = None;
                    *self.replaced.lock() = Some(path.clone());
                    return Err(Error::LogReplaced { path: path.clone() });
                }
            }
        }
        let current = match open.take() {
            Some(current) => current,
            None => self.connect()?,
        };
        let read = patiently(WAIT, || {
            let statement = current.connection.prepare_cached("SELECT max(id) FROM log.audit_events");
            statement
                .and_then(|mut statement| statement.query_row([], |row| row.get::<_, Option<i64>>(0)))
                .map_err(|error| classify(error, &self.log.database))
        });
        // Left closed after any other error: a new connection meets it again or does not.
        if matches!(read, Ok(_) | Err(Error::Busy)) {
            *open = Some(current);
        }
        Ok(read?.unwrap_or(0))
    }

    /// The file of the log that was replaced, while it is not known that everything fits the new one.
    pub(super) fn replaced(&self) -> Option<PathBuf> {
        self.replaced.lock().clone()
    }

    /// Notes that everything derived from the log fits the file that took this one's place.
    pub(super) fn settled(&self, path: &Path) {
        self.replaced.lock().take_if(|known| known == path);
    }

    fn connect(&self) -> Result<Open, Error> {
        let (authorizer, budget) = (Authorizer::of_host(), Arc::new(Budget::default()));
        let payloads = Identity::of(&self.log.payloads)?;
        let database = Identity::of(&self.log.database)?;
        let connection =
            patiently(WAIT, || connection::open(Use::Log(&self.log.database), &authorizer, &budget))?;
        if Identity::of(&self.log.database)? != database {
            return Err(Error::LogReplaced { path: self.log.database.clone() });
        }
        Ok(Open { connection, database, payloads })
    }
}

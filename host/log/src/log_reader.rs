//! The host's own reading of a log: a short transaction at a time, opened as the log lies at that moment.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use crate::Identity;
use crate::access::Access;
use crate::authorizer::Authorizer;
use crate::budget::Budget;
use crate::connection::{self, Opened, Use, classify, patiently};
use crate::error::Error;
use crate::reader_gate::ReaderGate;

/// A connection that reads a log and nothing else. It stays open from one reading to the next where that keeps
/// nothing of the log's writer waiting.
pub struct LogReader {
    database: PathBuf,
    identity: Identity,
    wait: Duration,
    gate: Arc<ReaderGate>,
    authorizer: Arc<Authorizer>,
    budget: Arc<Budget>,
    open: RefCell<Option<Opened>>,
}

impl LogReader {
    /// Opens the log, whose database lies there. A commit of its writer's is waited for as long as `wait`, now and
    /// at each reading.
    pub fn open(database: &Path, wait: Duration) -> Result<Self, Error> {
        loop {
            crate::interrupt::check()?;
            let reader = Self {
                database: database.to_owned(),
                identity: Identity::of(database)?,
                wait,
                gate: ReaderGate::of(database)?,
                authorizer: Authorizer::of_host(),
                budget: Arc::new(Budget::default()),
                open: RefCell::default(),
            };
            match patiently(wait, || reader.connect()) {
                Ok(opened) => {
                    reader.keep(opened);
                    return Ok(reader);
                }
                // Replaced in between: which of the files was opened cannot be told.
                Err(Error::LogReplaced { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Which file it reads, whatever lies at its path by now.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Runs a reading. It may be run again, from its beginning: while the writer commits, and where the writer
    /// wrote to what was read without a lock. `LogReplaced` where the file had to be opened anew, and another one
    /// lies at its path.
    pub fn read<T>(&self, mut read: impl FnMut(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        patiently(self.wait, || {
            let _permit = self.gate.enter()?;
            let opened = match self.open.take() {
                Some(opened) if self.still_holds(&opened)? => opened,
                _ => self.connect()?,
            };
            let outcome = read(&opened.connection).map_err(|error| classify(error, &self.database));
            let proved = opened.access.as_ref().map_or(Ok(true), |access| access.is_proved(&self.gate))?;
            // After any other error a new connection meets it again or does not.
            if matches!(outcome, Ok(_) | Err(Error::Busy)) {
                self.keep(opened);
            }
            if proved { outcome } else { Err(Error::Busy) }
        })
    }

    fn still_holds(&self, opened: &Opened) -> Result<bool, Error> {
        let access = opened.access.as_ref();
        access.map_or(Ok(true), |access| access.still_holds(&self.gate, &self.database))
    }

    fn connect(&self) -> Result<Opened, Error> {
        let replaced = || Error::LogReplaced { path: self.database.clone() };
        if Identity::of(&self.database)? != self.identity {
            return Err(replaced());
        }
        let opened = connection::open(Use::Log(&self.database), &self.authorizer, &self.budget)?;
        if Identity::of(&self.database)? == self.identity { Ok(opened) } else { Err(replaced()) }
    }

    fn keep(&self, opened: Opened) {
        if opened.access != Some(Access::Shared) {
            self.open.replace(Some(opened));
        }
    }
}

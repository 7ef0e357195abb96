//! One snapshot of scratch and log: how it is taken, and how the log's lock is given back.

use std::time::Duration;

use rusqlite::OptionalExtension;

use super::Session;
use crate::error::Error;
use crate::ledger::Phase;
use crate::log::connection::patiently;
use crate::log::gate::Author;
use crate::log::turnstile::Pass;
use crate::log::{Identity, heap};

impl Session {
    /// Takes a snapshot for one page: scratch first, then the log, so that scratch never covers an
    /// event that the snapshot does not hold.
    ///
    /// Fails with `LogReplaced` or `ScratchUnfit` where the session has to be opened anew.
    pub fn begin(&mut self) -> Result<(), Error> {
        let began = Phase::begin();
        self.start_call();
        let Some(files) = &self.files else {
            return Err(Error::Engine("a session for refreshes has no log".to_owned()));
        };
        if Identity::of(&files.log.database)? != files.database {
            return Err(Error::LogReplaced { path: files.log.database.clone() });
        }
        files.payloads.check_in_place()?;
        if let Some((path, identity)) = &self.scratch
            && Identity::of(path).ok() != Some(*identity)
        {
            return Err(Error::ScratchUnfit { why: "its file was replaced".to_owned() });
        }
        // Waiting for the writer is not the strategy's time: its budget begins with the snapshot.
        self.budget.disarm();
        let pinned = patiently(self.limits.busy_wait, || {
            self.budget.check_cancelled()?;
            let pass = files.turnstile.enter()?;
            self.pin().map(|pinned| (pinned, pass))
        });
        self.budget.arm(&self.limits);
        match pinned {
            Ok(((high_water, covered), pass)) => {
                self.locked = Some(pass);
                self.high_water = high_water;
                self.ledger.high_water = high_water;
                self.ledger.covered = covered;
            }
            Err(error) => {
                self.end();
                return Err(error);
            }
        }
        self.budget.lock_log(&self.limits);
        if let Err(error) = self.check_scratch_fits() {
            self.end();
            return Err(error);
        }
        self.ledger.phases.snapshot = began.elapsed();
        Ok(())
    }

    fn pin(&self) -> Result<(i64, Option<i64>), Error> {
        let run = || -> rusqlite::Result<(i64, Option<i64>)> {
            if self.connection.is_autocommit() {
                self.connection.prepare_cached("/*keyhole*/ BEGIN")?.raw_execute()?;
            }
            let covered = match self.scratch {
                Some(_) => Some(
                    self.connection
                        .prepare_cached("/*keyhole*/ SELECT last FROM scratch.keyhole_coverage")?
                        .query_row([], |row| row.get(0))?,
                ),
                None => None,
            };
            let high_water: Option<i64> = self
                .connection
                .prepare_cached("/*keyhole*/ SELECT max(id) FROM log.audit_events")?
                .query_row([], |row| row.get(0))?;
            Ok((high_water.unwrap_or(0), covered))
        };
        run().map_err(|error| self.classify(error))
    }

    /// Whenever another connection has written to the log since the last look, the last event that
    /// scratch covers must still be the one that it took in.
    fn check_scratch_fits(&mut self) -> Result<(), Error> {
        if self.scratch.is_none() {
            return Ok(());
        }
        let version: i64 = self
            .connection
            .prepare_cached("/*keyhole*/ PRAGMA log.data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(|error| self.classify(error))?;
        if self.seen_version == Some(version) {
            return Ok(());
        }
        let stored: Option<(i64, String)> = self
            .connection
            .prepare_cached("/*keyhole*/ SELECT last, last_row FROM scratch.keyhole_coverage WHERE n > 0")
            .and_then(|mut statement| {
                statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(|error| self.classify(error))?;
        if let Some((last, stored)) = stored {
            let present = self.row_text(last)?;
            if present.as_deref() != Some(stored.as_str()) {
                return Err(Error::ScratchUnfit {
                    why: format!("event {last} is not the one that it covers"),
                });
            }
        }
        self.seen_version = Some(version);
        Ok(())
    }

    /// Ends the snapshot and gives the log's lock back. Does nothing where there is none.
    pub fn end(&mut self) {
        // An interrupt would keep the transaction open. Nothing of the strategy's runs from here on.
        self.budget.disarm();
        if !self.connection.is_autocommit() {
            // The transaction only read; SQLite ends it even where the rollback reports an error.
            let _ =
                self.connection.prepare_cached("/*keyhole*/ ROLLBACK").and_then(|mut end| end.raw_execute());
        }
        if let Some(locked) = self.locked.take() {
            self.ledger.phases.log_lock = locked.lasted();
        }
        self.budget.unlock_log();
    }

    /// Without memory or disk SQLite ends the transaction: what follows would see another snapshot, or
    /// write what no rollback takes back.
    pub fn check_transaction(&self) -> Result<(), Error> {
        if !self.connection.is_autocommit() {
            return Ok(());
        }
        Err(match (self.author, &self.refused) {
            (Author::Refresh, Some(Error::ScratchFull { bound })) => Error::ScratchFull { bound: *bound },
            (Author::Refresh, _) => {
                Error::ScratchRefused { why: "it went on after its transaction was lost".to_owned() }
            }
            _ => Error::Budget { limit: "sql_memory", allowed: heap::PAGE_BYTES },
        })
    }

    /// How long the log has been locked by now; nothing where it is not.
    pub fn locked_for(&self) -> Duration {
        self.locked.as_ref().map_or(Duration::ZERO, Pass::lasted)
    }

    /// The largest id of the snapshot; 0 where the log is empty.
    pub fn high_water(&self) -> i64 {
        self.high_water
    }
}

//! What is new is fed, and the strategy takes it in.

use std::sync::PoisonError;
use std::time::Instant;

use rusqlite::Connection;

use super::{Effort, Keeper};
use crate::native;
use crate::scratch::fit::Coverage;
use crate::scratch::{Refreshed, blocks, disk};
use crate::strategy::Code;
use crate::strategy::instance::Instance;
use keyhole_log::error::{Bound, Error};
use keyhole_log::feed::Feeder;
use keyhole_log::quarantine;
use keyhole_log::session::Session;
use keyhole_log::thread_clock::Meter;

/// Slices after which a refresh that never says done is given up: a fill of a large log needs some
/// hundreds.
const MOST_SLICES: u32 = 100_000;

/// Slices in which a refresh may come no further: a first fill builds its tables in a dozen before it covers
/// anything.
const STALLED_SLICES: u32 = 256;

/// What a page takes up in the write-ahead log, and what the log begins with.
const WAL_FRAME: u64 = 4096 + 24;
const WAL_HEADER: u64 = 32;

/// What a slice says: how far the tables are, and whether that is all; and the session, unless a
/// fault of the engine lost it.
type Slice = (Result<(i64, bool), Error>, Option<Box<Session>>);

impl Keeper {
    /// Feeds what is new and has the strategy take it in. Gives the session back, and what is covered.
    pub(super) fn feed_and_refresh(
        &self,
        session: Box<Session>,
        feeder: &Feeder,
        effort: Effort,
    ) -> Result<(Box<Session>, Coverage), Error> {
        let stored = Coverage::load(session.connection())?;
        let filling = stored.is_none();
        let mut coverage = stored.unwrap_or_else(Coverage::nothing);
        // 0 stands for none: while a log has no event with a larger id, every page reads all of it.
        let through = feeder.last()?.unwrap_or(0).max(0);
        let uncovered = through.saturating_sub(coverage.last).unsigned_abs();
        let due = effort == Effort::ToTheEnd || uncovered >= self.strategy.grants.refresh_after;
        if !filling && (uncovered == 0 || !due) {
            return Ok((session, coverage));
        }
        self.make_room()?;
        let (before, began) = (coverage.n, Instant::now());
        if through > 0 {
            self.feed(session.connection(), feeder, &mut coverage, through)?;
        }
        let events = coverage.n.saturating_sub(before);
        let mut refreshed =
            Refreshed { filled: filling, events, feed: began.elapsed(), ..Refreshed::default() };
        let session = self.take_in(session, feeder, &coverage, through, &mut refreshed)?;
        refreshed.took = began.elapsed();
        *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner) = Some(refreshed);
        Ok((session, coverage))
    }

    /// Sees to it that what is there keeps to both bounds. A small refresh ends before it is measured itself.
    fn make_room(&self) -> Result<(), Error> {
        let (used, quota) = (disk::named(&self.path), self.strategy.grants.scratch_quota);
        let outgrown = if used > quota { Some(Bound::Quota(quota)) } else { self.room.make(used) };
        outgrown.map_or(Ok(()), |bound| Err(Error::ScratchFull { bound }))
    }

    fn feed(
        &self,
        scratch: &Connection,
        feeder: &Feeder,
        coverage: &mut Coverage,
        through: i64,
    ) -> Result<(), Error> {
        let (columns, mut copied) = (&self.strategy.grants.columns, Vec::new());
        let goal = coverage.n + through.saturating_sub(coverage.last).unsigned_abs();
        loop {
            keyhole_log::interrupt::check()?;
            let after = (coverage.n > 0).then_some(coverage.last);
            scratch.execute_batch("BEGIN")?;
            let gathered = feeder
                .copy_range(scratch, columns, &coverage.key, after, through, &mut copied)
                .and_then(|()| blocks::gather(scratch, &copied).map_err(Error::from));
            scratch.execute_batch("COMMIT")?;
            gathered?;
            if copied.is_empty() {
                return Ok(());
            }
            coverage.extend(&copied);
            if let Some(progress) = &self.progress {
                progress(coverage.n, goal);
            }
        }
    }

    /// Has the strategy take the feed in, slice by slice. The host's own tables follow in the last
    /// slice's transaction, so that they never say more than the strategy's do.
    fn take_in(
        &self,
        mut session: Box<Session>,
        feeder: &Feeder,
        coverage: &Coverage,
        through: i64,
        refreshed: &mut Refreshed,
    ) -> Result<Box<Session>, Error> {
        let refused = |why: String| Error::ScratchRefused { why };
        let (mut before, mut stalled) = (i64::MIN, 0);
        for _ in 0..MOST_SLICES {
            keyhole_log::interrupt::check()?;
            let (began, meter) = (Instant::now(), Meter::start());
            session.begin_refresh(through)?;
            let (outcome, mut returned) = self.slice(session, through);
            if let Some(session) = &mut returned {
                self.keep_usage(session);
            }
            let (covered, done) = outcome.map_err(|error| match &returned {
                Some(session) => {
                    error.or_starved(meter.spent(session.steps(), session.ledger.rows), session.limits())
                }
                None => error,
            })?;
            session = returned
                .ok_or_else(|| Error::Engine("a refresh did not give its session back".to_owned()))?;
            let strays = covered < before || covered > through || (done && covered != through);
            if strays {
                return Err(refused(format!(
                    "it says that it covers {covered} of {through}, after {before}"
                )));
            }
            stalled = if covered > before { 0 } else { stalled + 1 };
            if stalled > STALLED_SLICES {
                return Err(refused(format!("it came no further than {covered} in {stalled} slices")));
            }
            before = covered;
            // SQLite may have rolled everything back after an error that the strategy passed over.
            if session.connection().is_autocommit() {
                let lost = || refused("it went on after its transaction was lost".to_owned());
                return Err(session.refused.take().unwrap_or_else(lost));
            }
            if done {
                coverage.store(session.connection(), &self.log, feeder)?;
                quarantine::store(session.connection())?;
            }
            session.commit_refresh()?;
            refreshed.slices += 1;
            refreshed.transactions += began.elapsed();
            if !refreshed.filled {
                checkpoint(session.connection(), refreshed)?;
            }
            self.make_room()?;
            if done {
                return Ok(session);
            }
        }
        Err(refused(format!("it was not done after {MOST_SLICES} slices")))
    }

    /// Adds a slice's ledger to the sum, with the plans of statements that are new there.
    fn keep_usage(&self, session: &mut Session) {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        session.explain_new(|sql| usage.has_plan(sql));
        usage.add(&session.ledger, 0);
    }

    /// One slice: how far the tables are, and whether that is all. A session that is dropped in
    /// mid-slice takes its transaction with it.
    fn slice(&self, mut session: Box<Session>, through: i64) -> Slice {
        match &self.strategy.code {
            Code::NativeBaseline => (Ok((through, true)), Some(session)),
            Code::NativeKeyset => {
                let progress = native::keyset::refresh(&mut session, through);
                (progress.map(|progress| (progress.covered, progress.done)), Some(session))
            }
            Code::Component(compiled) => match Instance::new(&self.engine, compiled, session) {
                Ok(mut instance) => {
                    let progress = instance.refresh(through);
                    (progress.map(|progress| (progress.covered, progress.done)), instance.release())
                }
                Err((error, session)) => (Err(error), session),
            },
        }
    }
}

/// Moves what a refresh wrote into the database. SQLite would do it within the commit, where it could not be
/// told from the transaction. It waits for nobody: what a reader still needs stays where it is.
fn checkpoint(scratch: &Connection, refreshed: &mut Refreshed) -> Result<(), Error> {
    let began = Instant::now();
    let frames: i64 = scratch.query_row("PRAGMA scratch.wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
    refreshed.checkpoint += began.elapsed();
    let bytes = u64::try_from(frames).map_or(0, |frames| WAL_HEADER + frames * WAL_FRAME);
    refreshed.wal_bytes = refreshed.wal_bytes.max(bytes);
    Ok(())
}

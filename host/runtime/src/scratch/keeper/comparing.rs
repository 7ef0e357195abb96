//! Whether scratch still is what the log holds: at the opening, after a commit that changed history or may have, and
//! piece by piece on idle time.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::Keeper;
use crate::scratch::compare::{self, Piece, Start};
use crate::scratch::fit::Coverage;
use crate::scratch::lines::{self, LinesScrubbed};
use crate::scratch::watch::{Job, Learnt, PATIENCE};
use keyhole_log::error::Error;
use keyhole_log::feed::Feeder;
use keyhole_log::version::LogVersion;

/// For how long an opening compares before its first page: some 300,000 events.
const OPENING: Duration = Duration::from_millis(250);

/// Between two pieces of a comparison the refresher's lock is free: those who wait for it look every 5 ms.
const BETWEEN: Duration = Duration::from_millis(8);

/// What one piece of a comparison came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Events that were compared.
    pub events: u64,
    /// Events that were compared in the running round by now.
    pub round: u64,
    /// Events that the round has in all.
    pub of: u64,
    /// Whether all of them have been compared now.
    pub ended: bool,
    /// Whether anything differed: then scratch was filled anew.
    pub differed: bool,
}

impl Keeper {
    /// Why it does not fit the log, as far as the quick look shows it; None where it does.
    fn misfit(&self, scratch: &Connection, feeder: &Feeder) -> Result<Option<String>, Error> {
        unreadable(Coverage::misfit(scratch, &self.log, feeder))
    }

    /// Why it does not fit the log. The first time in this process events are compared, for a while, unless the log is the
    /// one that they were compared with before.
    pub(super) fn misfit_at_opening(&self, feeder: &Feeder) -> Result<Option<String>, Error> {
        let scratch = match self.scratch() {
            Ok(scratch) => scratch,
            Err(why) => return Ok(Some(why)),
        };
        let why = self.misfit(&scratch, feeder)?;
        if why.is_some() || self.opened.swap(true, AcqRel) {
            return Ok(why);
        }
        let began = Instant::now();
        // A round that another process began ends with an older version: then another one follows.
        for _ in 0..2 {
            let version = LogVersion::of(&self.log.database)?;
            self.watch.set_base(version.clone(), feeder.last()?.unwrap_or(0));
            match compare::is_of(&scratch, &version) {
                Ok(true) => return Ok(None),
                Ok(false) => {}
                Err(error) => return unreadable(Err(error.into())),
            }
            let stop = || began.elapsed() >= OPENING || self.watch.is_ended();
            match self.piece(&scratch, feeder, Start::GoOn, stop)? {
                Ok(piece) if !piece.differences.are_none() => return Ok(Some(piece.differences.to_string())),
                Ok(piece) if !piece.ended => {
                    self.unfinished.store(true, Release);
                    return Ok(None);
                }
                Ok(_) if !version.is_settled() => return Ok(None),
                Ok(_) => {}
                Err(why) => return Ok(Some(why)),
            }
        }
        Ok(None)
    }

    /// Why it does not fit the log, all of it compared however long that takes.
    pub(super) fn misfit_anywhere(&self, feeder: &Feeder) -> Result<Option<String>, Error> {
        let scratch = match self.scratch() {
            Ok(scratch) => scratch,
            Err(why) => return Ok(Some(why)),
        };
        if let Some(why) = self.misfit(&scratch, feeder)? {
            return Ok(Some(why));
        }
        Ok(match self.piece(&scratch, feeder, Start::Anew, || self.watch.is_ended())? {
            Ok(piece) if piece.differences.are_none() => None,
            Ok(piece) => Some(piece.differences.to_string()),
            Err(why) => Some(why),
        })
    }

    /// Compares until `stop` says so, and fills it anew where something differs. The refresher's lock is held meanwhile.
    pub(in crate::scratch) fn compare(
        &self,
        start: Start,
        stop: impl Fn() -> bool,
    ) -> Result<Scrubbed, Error> {
        let _lock = self.lock()?;
        if !self.path.exists() {
            return Ok(Scrubbed { ended: true, ..Scrubbed::default() });
        }
        let feeder = Feeder::open(&self.log)?;
        let why = match self.look(&feeder, start, stop)? {
            Ok(Piece { events, round, of, ended, differences }) if differences.are_none() => {
                return Ok(Scrubbed { events, round, of, ended, differed: false });
            }
            Ok(piece) => piece.differences.to_string(),
            Err(why) => why,
        };
        self.differed(why)?;
        self.fill_again(&feeder)?;
        Ok(Scrubbed { ended: true, differed: true, ..Scrubbed::default() })
    }

    /// Looks at payload lines until `stop` says so. The refresher's lock is held meanwhile.
    pub(in crate::scratch) fn scrub_lines(&self, stop: impl Fn() -> bool) -> Result<LinesScrubbed, Error> {
        let mut walk = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = self.lock()?;
        if !self.path.exists() {
            return Ok(LinesScrubbed { ended: true, ..LinesScrubbed::default() });
        }
        let (scratch, feeder) = (compare::open(&self.path)?, Feeder::open(&self.log)?);
        if self.misfit(&scratch, &feeder)?.is_some() {
            // The next look at its rows mends it.
            return Ok(LinesScrubbed::default());
        }
        lines::piece(&scratch, &self.log, &feeder, &mut walk, self.generation.load(Acquire), stop)
    }

    /// A piece of a comparison; the reason to drop scratch, where it does not fit or cannot be read.
    fn look(
        &self,
        feeder: &Feeder,
        start: Start,
        stop: impl Fn() -> bool,
    ) -> Result<Result<Piece, String>, Error> {
        let scratch = match self.scratch() {
            Ok(scratch) => scratch,
            Err(why) => return Ok(Err(why)),
        };
        match self.misfit(&scratch, feeder)? {
            Some(why) => Ok(Err(why)),
            None => self.piece(&scratch, feeder, start, stop),
        }
    }

    /// A piece of a comparison; the reason to drop scratch, where that cannot be read.
    fn piece(
        &self,
        scratch: &Connection,
        feeder: &Feeder,
        start: Start,
        stop: impl Fn() -> bool,
    ) -> Result<Result<Piece, String>, Error> {
        match compare::piece(scratch, feeder, &self.log, start, stop) {
            Err(error @ Error::Sqlite(_)) => Ok(Err(format!("it cannot be read: {error}"))),
            Err(error) => Err(error),
            Ok(piece) => Ok(Ok(piece)),
        }
    }

    /// A connection for the host's own look at scratch. Only with the refresher's lock held, and where there is one.
    fn scratch(&self) -> Result<Connection, String> {
        compare::open(&self.path).map_err(|error| format!("it cannot be opened: {error}"))
    }

    /// Wants a job to be done beside the pages.
    pub(in crate::scratch) fn want(self: &Arc<Self>, job: Job) {
        if !self.watch.want(job) {
            return;
        }
        let keeper = Arc::clone(self);
        let spawned = std::thread::Builder::new().name("compare".to_owned()).spawn(move || keeper.work_off());
        self.watch.started(spawned.ok());
    }

    /// Does what is wanted, until nothing is.
    fn work_off(&self) {
        while let Some(job) = self.watch.next() {
            let began = Instant::now();
            let learnt = match job.start() {
                None => self.count(),
                Some(Start::Anew) => self.compare_whole(Start::Anew),
                // The round that is ended first may have begun long ago, with an older version of the log.
                Some(Start::GoOn) => match self.compare_whole(Start::GoOn) {
                    Ok(Learnt::Fits) => self.compare_whole(Start::Anew),
                    learnt => learnt,
                },
            };
            // What fails here is met again, and told, by the next page.
            self.watch.done(job, began.elapsed(), &learnt.unwrap_or(Learnt::Failed));
        }
    }

    /// Whether it does not fit the log any more, all of it compared now; it is filled anew then. What cannot be found out
    /// is no.
    pub(in crate::scratch) fn differs_now(&self) -> bool {
        matches!(self.compare_whole(Start::Anew), Ok(Learnt::Differed))
    }

    /// Compares to the round's end, in pieces.
    fn compare_whole(&self, mut start: Start) -> Result<Learnt, Error> {
        loop {
            let began = Instant::now();
            let stop = || began.elapsed() >= PATIENCE || self.watch.is_ended();
            let piece = self.compare(start, stop)?;
            if piece.differed {
                return Ok(Learnt::Differed);
            }
            if piece.ended || self.watch.is_ended() {
                // Pages may have read rows as they were while the writer changed them.
                self.log.forget_events();
                return Ok(Learnt::Fits);
            }
            start = Start::GoOn;
            std::thread::sleep(BETWEEN);
        }
    }

    /// Counts the events that are covered.
    fn count(&self) -> Result<Learnt, Error> {
        let covers = {
            let _lock = self.lock()?;
            if !self.path.exists() {
                return Ok(Learnt::Fits);
            }
            Coverage::load(&compare::open(&self.path)?)?
        };
        let Some(covers) = covers else { return Ok(Learnt::Fits) };
        let feeder = Feeder::open(&self.log)?;
        let stop = || self.watch.is_ended() || self.watch.wants_comparison();
        match feeder.count_to_unless(covers.last, stop)? {
            Some(count) if count != covers.n => Ok(Learnt::Miscounted),
            _ => Ok(Learnt::Fits),
        }
    }
}

/// What cannot be read does not fit.
fn unreadable(reason: Result<Option<String>, Error>) -> Result<Option<String>, Error> {
    match reason {
        Err(error @ Error::Sqlite(_)) => Ok(Some(format!("it cannot be read: {error}"))),
        reason => reason,
    }
}

//! A comparison of a scratch with its log by order, whoever's it is: its strategy need not be there.

use std::time::{Duration, Instant};

use crate::scratch::compare::{self, Piece, Start};
use crate::scratch::disk;
use crate::scratch::fit::{self, Coverage};
use crate::scratch::hold::{self, Hold};
use crate::scratch::kept::Kept;
use crate::scratch::lines::{self, LinesScrubbed, Walk};
use keyhole_log::error::Error;
use keyhole_log::feed::Feeder;
use keyhole_log::{Identity, Log};

/// How long others who want to refresh it wait, and the pause in which they may.
const PIECE: Duration = Duration::from_millis(50);
const BETWEEN: Duration = Duration::from_millis(8);

/// What a comparison by order came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is what the log holds.
    Fits {
        /// Events that it covers.
        events: u64,
        /// What is wrong with their payload lines: the first of it, in words, and how much is.
        faults: Vec<String>,
        /// See `faults`.
        count: u64,
    },
    /// It is not, and was let go of: it is filled anew when its strategy is next asked for a page.
    Differs(String),
    /// There is nothing to compare, for this reason.
    PassedOver(String),
}

impl Kept {
    /// Compares all that it covers with its log, and lets go of it where anything differs. Whoever uses it goes on
    /// meanwhile.
    pub fn scrub(&self) -> Result<Verdict, Error> {
        if !self.folder.join("scratch.db").exists() {
            return Ok(Verdict::PassedOver("it is not filled".to_owned()));
        }
        let _hold = Hold::take(&self.folder)?;
        let path = self.folder.join("scratch.db");
        let (mut start, mut of, mut opened) = (Start::Anew, None, None);
        loop {
            keyhole_log::interrupt::check()?;
            let lock = hold::refresher(&self.folder)?;
            let Ok(identity) = Identity::of(&path) else {
                return Ok(Verdict::PassedOver("it was let go of meanwhile".to_owned()));
            };
            // Whoever uses it may have filled it anew.
            if of.replace(identity) != Some(identity) {
                start = Start::Anew;
            }
            let why = match look(&path, &mut opened, start) {
                Err(error @ (Error::NoLog { .. } | Error::Io { .. })) => {
                    return Ok(Verdict::PassedOver(error.to_string()));
                }
                Err(error @ Error::Sqlite(_)) => format!("it cannot be read: {error}"),
                Err(error) => return Err(error),
                Ok(Look::Piece(piece)) if !piece.differences.are_none() => piece.differences.to_string(),
                Ok(Look::Piece(piece)) if piece.ended => {
                    drop(lock);
                    let Some((log, feeder)) = &opened else {
                        return Ok(fits(piece.of, LinesScrubbed::default()));
                    };
                    return self.lines(log, feeder).map(|lines| fits(piece.of, lines));
                }
                Ok(Look::Piece(_)) => {
                    start = Start::GoOn;
                    drop(lock);
                    std::thread::sleep(BETWEEN);
                    continue;
                }
                Ok(Look::Misfit(why)) => why,
            };
            disk::remove(&self.folder)?;
            return Ok(Verdict::Differs(why));
        }
    }

    /// Looks at the payload lines of all of its events.
    fn lines(&self, log: &Log, feeder: &Feeder) -> Result<LinesScrubbed, Error> {
        let (path, mut walk, mut all) =
            (self.folder.join("scratch.db"), Walk::default(), LinesScrubbed::default());
        loop {
            let lock = hold::refresher(&self.folder)?;
            if !path.exists() {
                return Ok(all);
            }
            let began = Instant::now();
            let stop = || began.elapsed() >= PIECE;
            let LinesScrubbed { events, of, ended, faults, count } =
                lines::piece(&compare::open(&path)?, log, feeder, &mut walk, 0, stop)?;
            drop(lock);
            (all.events, all.of, all.count) = (all.events + events, of, all.count + count);
            all.faults.extend(faults);
            if ended {
                return Ok(all);
            }
            std::thread::sleep(BETWEEN);
        }
    }
}

fn fits(events: u64, lines: LinesScrubbed) -> Verdict {
    Verdict::Fits { events, faults: lines.faults, count: lines.count }
}

enum Look {
    Piece(Piece),
    Misfit(String),
}

/// A piece of the comparison, of a log that is opened the first time.
fn look(path: &std::path::Path, opened: &mut Option<(Log, Feeder)>, start: Start) -> Result<Look, Error> {
    let scratch = compare::open(path)?;
    let (log, feeder) = if let Some(opened) = opened {
        opened
    } else {
        let Some(database) = fit::log_of(&scratch)? else {
            return Ok(Look::Misfit("it does not say what it covers".to_owned()));
        };
        let log = Log::open(database.parent().unwrap_or(&database))?;
        let feeder = Feeder::open(&log)?;
        opened.insert((log, feeder))
    };
    if let Some(why) = Coverage::misfit(&scratch, log, feeder)? {
        return Ok(Look::Misfit(why));
    }
    let began = Instant::now();
    compare::piece(&scratch, feeder, log, start, || began.elapsed() >= PIECE).map(Look::Piece)
}

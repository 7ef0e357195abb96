//! One value's use of a scratch: its hold on the folder, and what it tells there about itself.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::scratch::about::{self, About};
use crate::scratch::fit::Coverage;
use crate::scratch::hold::Hold;
use keyhole_log::error::Error;
use keyhole_log::quarantine::Summary;

/// How often, at most, a use is told of again where nothing else changes.
const TELL_AGAIN: Duration = Duration::from_mins(1);

/// The use of one scratch, from its first refresh, or look at whether one is due, to the end.
pub(super) struct Tenancy {
    folder: PathBuf,
    about: About,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    hold: Option<Hold>,
    /// What it covers, as far as that is known.
    covered: Option<Covered>,
    /// What was written last, and when the file was last touched.
    told: Option<(About, Instant)>,
}

/// What a scratch covers.
struct Covered {
    /// How many events.
    events: u64,
    /// The last of them.
    last: i64,
    /// Those that have an odd cell.
    quarantine: Summary,
}

impl Tenancy {
    pub(super) fn new(folder: PathBuf, about: About) -> Self {
        Self { folder, about, now: Mutex::default() }
    }

    /// Takes hold of the folder, unless it is held.
    pub(super) fn begin(&self) -> Result<(), Error> {
        let mut now = self.now();
        if now.hold.as_ref().is_some_and(|hold| hold.is_of(&self.folder)) {
            return Ok(());
        }
        *now = Now { hold: Some(Hold::take(&self.folder)?), ..Now::default() };
        Ok(())
    }

    /// Takes down which events are covered, and those of them that have an odd cell, to be told.
    pub(super) fn covers(&self, coverage: &Coverage, quarantine: Summary) {
        self.now().covered = Some(Covered { events: coverage.n, last: coverage.last, quarantine });
    }

    /// The last covered event, as far as this process knows.
    pub(super) fn last(&self) -> Option<i64> {
        self.now().covered.as_ref().map(|covered| covered.last)
    }

    /// The covered events that have an odd cell, as far as this process knows.
    pub(super) fn quarantine(&self) -> Summary {
        self.now().covered.as_ref().map(|covered| covered.quarantine.clone()).unwrap_or_default()
    }

    /// Tells whose the scratch is and that it is used. Only with the refresher's lock held. That it cannot be
    /// told is no error: the cache is full or gone, and the next refresh says so.
    pub(super) fn tell(&self) {
        let mut now = self.now();
        let before = match &now.told {
            Some((told, _)) => Some(told.clone()),
            None => About::read(&self.folder).ok(),
        };
        let mut about = match &before {
            Some(before) => self.about.clone().after(before),
            None => self.about.clone(),
        };
        if let Some(Covered { events, quarantine, .. }) = &now.covered {
            (about.covered, about.quarantine) = (*events, quarantine.clone());
        }
        if before.as_ref() != Some(&about) {
            if about.write(&self.folder).is_ok() {
                now.told = Some((about, Instant::now()));
            }
            return;
        }
        let is_fresh = now.told.as_ref().is_some_and(|(_, at)| at.elapsed() < TELL_AGAIN);
        if !is_fresh && about::touch(&self.folder).is_ok() {
            now.told = Some((about, Instant::now()));
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tenancy {
    /// It was used until now, even where nothing was refreshed for long.
    fn drop(&mut self) {
        let now = self.now.get_mut().unwrap_or_else(PoisonError::into_inner);
        if now.hold.as_ref().is_some_and(|hold| hold.is_of(&self.folder)) {
            let _ = about::touch(&self.folder);
        }
    }
}

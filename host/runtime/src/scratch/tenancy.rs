//! One value's use of a scratch: its hold on the folder, and what it tells there about itself.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::scratch::about::{self, About};
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
    /// How many events it covers, and those of them that have an odd cell, as far as that is known.
    covered: Option<(u64, Summary)>,
    /// What was written last, and when the file was last touched.
    told: Option<(About, Instant)>,
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

    /// Takes down how many events are covered, and those of them that have an odd cell, to be told.
    pub(super) fn covers(&self, events: u64, quarantine: Summary) {
        self.now().covered = Some((events, quarantine));
    }

    /// The covered events that have an odd cell, as far as this process knows.
    pub(super) fn quarantine(&self) -> Summary {
        self.now().covered.as_ref().map(|(_, quarantine)| quarantine.clone()).unwrap_or_default()
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
        if let Some((covered, quarantine)) = &now.covered {
            (about.covered, about.quarantine) = (*covered, quarantine.clone());
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

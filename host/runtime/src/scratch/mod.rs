//! A strategy's own database: where it lies, how it is filled and refreshed, when it is dropped.
//!
//! One scratch belongs to one strategy, by digest, and one log. It is fed by the host in short ranges
//! and refreshed on a connection that does not have the log, so it never stands in the way of the
//! log's writer, nor, being in WAL mode, of a reader. It may be deleted at any time. All that lie in one
//! cache folder keep to a total together, across processes.

mod about;
mod backoff;
pub mod disk;
pub mod fit;
mod hold;
mod keeper;
pub mod kept;
mod meter;
mod refreshed;
mod room;
mod tenancy;
mod writeback;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::engine::Engine;
use crate::strategy::Strategy;
use about::About;
use backoff::Backoff;
use keeper::{Effort, Keeper};
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::usage::Usage;
use room::Room;
use tenancy::Tenancy;

pub use refreshed::Refreshed;

/// Told of the progress of a fill: events fed so far, and in all.
pub type Progress = Box<dyn Fn(u64, u64) + Send + Sync>;

/// One strategy's scratch for one log.
pub struct Scratch {
    keeper: Arc<Keeper>,
    refresher: Mutex<Option<JoinHandle<()>>>,
}

impl Scratch {
    /// The scratch of this strategy for this log, under the cache folder. Nothing is read or made yet.
    pub fn new(
        engine: &Engine,
        strategy: &Arc<Strategy>,
        log: &Log,
        cache: &Path,
        progress: Option<Progress>,
    ) -> Arc<Self> {
        let short = |digest: &str| digest.chars().take(kept::DIGITS).collect::<String>();
        // Fewer columns, another scratch: what was fed before they were taken away would still be read.
        let holder = keyhole_log::hash::sha256(
            format!("{} {}", strategy.digest, strategy.grants.columns.join(" ")).as_bytes(),
        );
        let folder = kept::root(cache).join(format!("{}-{}", short(&holder), short(&log.place_digest())));
        let about = About::new(&strategy.name, &strategy.digest, &log.database);
        let keeper = Keeper {
            engine: engine.clone(),
            strategy: Arc::clone(strategy),
            log: log.clone(),
            path: folder.join("scratch.db"),
            room: Arc::new(Room::of(&folder, strategy.grants.scratch_total)),
            tenancy: Tenancy::new(folder.clone(), about),
            folder,
            sound: Mutex::new(None),
            drops: Mutex::new(Vec::new()),
            failures: Backoff::default(),
            progress,
            usage: Mutex::new(Usage::default()),
            refreshed: Mutex::new(None),
        };
        Arc::new(Self { keeper: Arc::new(keeper), refresher: Mutex::new(None) })
    }

    /// The database's path.
    pub fn path(&self) -> &Path {
        &self.keeper.path
    }

    /// What the refreshes of this value did so far.
    pub fn usage(&self) -> Usage {
        self.keeper.usage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the last fill or refresh took; None where this value has made none.
    pub fn refreshed(&self) -> Option<Refreshed> {
        *self.keeper.refreshed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that it uses.
    pub fn bytes(&self) -> u64 {
        disk::named(&self.keeper.path)
    }

    /// Sees to it that scratch is there, fits the log, and covers it up to a short tail.
    pub fn ensure_filled(&self) -> Result<(), Error> {
        self.keeper.bring_up(Effort::IfDue)
    }

    /// Brings scratch up to the log's last event.
    pub fn refresh(&self) -> Result<(), Error> {
        self.keeper.bring_up(Effort::ToTheEnd)
    }

    /// Looks closely, after a page failed in a way that a scratch which is damaged, or does not fit the
    /// log, would explain. True if it was that, and is filled anew.
    pub fn mend(&self) -> Result<bool, Error> {
        self.keeper.mend()
    }

    /// Why its tables were dropped and filled anew, each time in order, at most the first sixteen.
    pub fn drops(&self) -> Vec<String> {
        self.keeper.drops.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells what a page saw. Once too many events are uncovered, a refresh starts beside the pages.
    pub fn saw(&self, high_water: i64, covered: Option<i64>) {
        let uncovered = high_water.saturating_sub(covered.unwrap_or(0)).unsigned_abs();
        if uncovered < self.keeper.strategy.grants.refresh_after {
            return;
        }
        let mut refresher = self.refresher.lock().unwrap_or_else(PoisonError::into_inner);
        if refresher.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        let keeper = Arc::clone(&self.keeper);
        let spawned = std::thread::Builder::new().name("refresh".to_owned()).spawn(move || {
            // A failure shows in the pages, which go on reading a longer tail, and is met again there.
            let _ = keeper.bring_up(Effort::ToTheEnd);
        });
        *refresher = spawned.ok();
    }
}

impl Drop for Scratch {
    /// A refresh that is under way is let finish: it is short, and its files may be about to go.
    fn drop(&mut self) {
        if let Some(handle) = self.refresher.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic there has been reported by its own thread.
            let _ = handle.join();
        }
    }
}

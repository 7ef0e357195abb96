//! A strategy's own database: where it lies, how it is filled and refreshed, when it is dropped.
//!
//! One scratch belongs to one strategy, by digest, and one log. It is fed by the host in short ranges
//! and refreshed on a connection that does not have the log, so it never stands in the way of the
//! log's writer, nor, being in WAL mode, of a reader. It may be deleted at any time. All that lie in one
//! cache folder keep to a total together, across processes.

mod about;
mod backoff;
mod blocks;
mod by_order;
mod compare;
pub mod disk;
mod fit;
mod hold;
mod keeper;
pub mod kept;
mod lines;
mod meter;
mod refreshed;
mod room;
mod tables;
mod tenancy;
mod watch;
mod writeback;

use std::path::Path;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{AcqRel, Acquire},
};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::strategy::Strategy;
use about::About;
use backoff::Backoff;
use compare::Start;
use keeper::{Effort, Keeper};
use keyhole_log::error::Error;
use keyhole_log::quarantine::Summary;
use keyhole_log::usage::Usage;
use keyhole_log::version::LogVersion;
use keyhole_log::{Identity, Log};
use room::Room;
use tenancy::Tenancy;
use watch::{Commit, Job, Watch};

pub use by_order::Verdict;
pub use keeper::Scrubbed;
pub use lines::LinesScrubbed;
pub use refreshed::Refreshed;

/// Told of the progress of a fill: events fed so far, and in all.
pub type Progress = Box<dyn Fn(u64, u64) + Send + Sync>;

/// One strategy's scratch for one log.
pub struct Scratch {
    keeper: Arc<Keeper>,
    refresher: Mutex<Option<JoinHandle<()>>>,
}

impl Scratch {
    /// The scratch of this strategy for this log, under the cache folder, or under the log's own if that is a
    /// temporary copy. Nothing is read or made yet.
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
        let folder =
            kept::root(log.cache(cache)).join(format!("{}-{}", short(&holder), short(&log.place_digest())));
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
            generation: AtomicU64::new(0),
            findings: Mutex::new(Vec::new()),
            opened: AtomicBool::new(false),
            unfinished: AtomicBool::new(false),
            watch: Watch::default(),
            lines: Mutex::default(),
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

    /// The last event that it covers, as this value's last refresh left it; None where none was looked at.
    pub fn covered(&self) -> Option<i64> {
        self.keeper.tenancy.last()
    }

    /// The covered events that have an odd cell, as this value's last refresh found them.
    pub fn quarantine(&self) -> Summary {
        self.keeper.tenancy.quarantine()
    }

    /// Bytes that it uses.
    pub fn bytes(&self) -> u64 {
        disk::named(&self.keeper.path)
    }

    /// Sees to it that scratch is there, fits the log, and covers it up to a short tail.
    pub fn ensure_filled(&self) -> Result<(), Error> {
        self.bring_up(Effort::IfDue)
    }

    /// Brings scratch up to the log's last event.
    pub fn refresh(&self) -> Result<(), Error> {
        self.bring_up(Effort::ToTheEnd)
    }

    fn bring_up(&self, effort: Effort) -> Result<(), Error> {
        self.keeper.bring_up(effort)?;
        if self.keeper.unfinished.swap(false, AcqRel) {
            self.keeper.want(Job::GoOn);
        }
        Ok(())
    }

    /// Which file it is now; none where it is not filled.
    pub fn identity(&self) -> Option<Identity> {
        Identity::of(&self.keeper.path).ok()
    }

    /// Looks closely, after a page failed in a way that a scratch which is damaged, or does not fit the
    /// log, would explain. True if it was that, and is filled anew, or is no longer the file that the page used.
    pub fn mend(&self, used: Option<Identity>) -> Result<bool, Error> {
        self.keeper.mend(used)
    }

    /// Why its tables were dropped and filled anew, each time in order, at most the first sixteen.
    pub fn drops(&self) -> Vec<String> {
        self.keeper.drops.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was dropped by this process: a page that was begun before the last time is not to be answered from it.
    pub fn generation(&self) -> u64 {
        self.keeper.generation.load(Acquire)
    }

    /// Whether a page that was answered at this [`generation`](Self::generation) may be wrong because the log's history was
    /// changed: all of it is compared, however long that takes. The strategy is not to blame then.
    pub fn was_stale(&self, generation: u64) -> bool {
        self.generation() != generation || self.keeper.differs_now() || self.generation() != generation
    }

    /// Tells that a page noticed a commit, while it holds a snapshot with this largest id. If the commit did not just
    /// append events, a comparison of all of them starts beside the pages: [`settle`](Self::settle) waits for it.
    pub fn noticed(&self, high_water: i64) {
        // A file that was replaced meanwhile is met by the next snapshot.
        let Ok(version) = LogVersion::of(&self.keeper.log.database) else { return };
        match self.keeper.watch.judge(&version, high_water) {
            Commit::None => {}
            Commit::Appended => self.keeper.want(Job::Count),
            Commit::Other => {
                self.keeper.log.forget_events();
                self.keeper.want(Job::Anew);
            }
        }
    }

    /// Whether a comparison that a commit started is under way.
    pub fn is_settling(&self) -> bool {
        self.keeper.watch.is_comparing()
    }

    /// Waits for that comparison, for a moment: not at all once it has taken longer.
    pub fn settle(&self) {
        self.keeper.watch.settle();
    }

    /// Compares more of the events that it covers with the log, for so long, and goes on there the next time, again and
    /// again. What differs is dropped and filled anew.
    pub fn scrub(&self, at_most: Duration) -> Result<Scrubbed, Error> {
        let began = Instant::now();
        self.keeper.compare(Start::GoOn, || began.elapsed() >= at_most)
    }

    /// Looks at more of its events' payload lines, for so long, and goes on there the next time, again and again.
    pub fn scrub_lines(&self, at_most: Duration) -> Result<LinesScrubbed, Error> {
        let began = Instant::now();
        self.keeper.scrub_lines(|| began.elapsed() >= at_most)
    }

    /// How its log's history was changed, as far as this process has found out since it was last asked.
    pub fn take_findings(&self) -> Vec<String> {
        std::mem::take(&mut *self.keeper.findings.lock().unwrap_or_else(PoisonError::into_inner))
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
        self.keeper.watch.end();
        if let Some(handle) = self.refresher.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic there has been reported by its own thread.
            let _ = handle.join();
        }
    }
}

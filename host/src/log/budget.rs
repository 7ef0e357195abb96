//! What a request may still use. Shared with SQLite's progress handler, which cuts a statement short.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::limits::Limits;

/// Virtual machine steps between two looks at the budget: about 15 µs.
pub const STEPS_A_LOOK: u32 = 1000;

/// The limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Reached {
    None = 0,
    Steps = 1,
    LogLock = 2,
    WallTime = 3,
    Cancelled = 4,
    Disk = 5,
}

/// Looks between two measurements of the disk: about 60 ms.
const LOOKS_A_MEASUREMENT: u64 = 4096;

/// Whether the files that a refresh writes have outgrown their quota.
type DiskFull = Box<dyn Fn() -> bool + Send + Sync>;

/// The budget of the running request. Times are nanoseconds since `base`.
pub struct Budget {
    base: Instant,
    steps: AtomicU64,
    step_limit: AtomicU64,
    lock_until: AtomicU64,
    wall_until: AtomicU64,
    armed: AtomicBool,
    reached: AtomicU8,
    disk_full: OnceLock<DiskFull>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            base: Instant::now(),
            steps: AtomicU64::new(0),
            step_limit: AtomicU64::new(u64::MAX),
            lock_until: AtomicU64::new(u64::MAX),
            wall_until: AtomicU64::new(u64::MAX),
            armed: AtomicBool::new(false),
            reached: AtomicU8::new(0),
            disk_full: OnceLock::new(),
        }
    }
}

impl Budget {
    /// Has the disk measured now and then while statements run. Set once.
    pub fn watch_disk(&self, full: impl Fn() -> bool + Send + Sync + 'static) {
        // A second watch would only repeat the first.
        let _ = self.disk_full.set(Box::new(full));
    }

    /// Starts a request: nothing is used, the wall clock runs.
    pub fn arm(&self, limits: &Limits) {
        self.steps.store(0, Relaxed);
        self.step_limit.store(limits.sql_steps, Relaxed);
        self.lock_until.store(u64::MAX, Relaxed);
        self.wall_until.store(self.after(limits.wall_time), Relaxed);
        self.reached.store(Reached::None as u8, Relaxed);
        self.armed.store(true, Relaxed);
    }

    /// The log is locked from now on.
    pub fn lock_log(&self, limits: &Limits) {
        self.lock_until.store(self.after(limits.log_lock), Relaxed);
    }

    /// The log's lock is given back.
    pub fn unlock_log(&self) {
        self.lock_until.store(u64::MAX, Relaxed);
    }

    /// Ends the request: statements of the host's own run free.
    pub fn disarm(&self) {
        self.armed.store(false, Relaxed);
    }

    /// Called by SQLite every [`STEPS_A_LOOK`] steps. True interrupts the statement. Cannot panic: a
    /// panic in a progress handler would count as "go on".
    pub fn spend(&self) -> bool {
        if !self.armed.load(Relaxed) {
            return false;
        }
        let steps = self.steps.fetch_add(u64::from(STEPS_A_LOOK), Relaxed);
        let reached = if steps >= self.step_limit.load(Relaxed) {
            Reached::Steps
        } else if steps / u64::from(STEPS_A_LOOK) % LOOKS_A_MEASUREMENT == LOOKS_A_MEASUREMENT - 1
            && self.disk_full.get().is_some_and(|full| full())
        {
            Reached::Disk
        } else {
            self.overdue()
        };
        if reached == Reached::None {
            return false;
        }
        self.reached.store(reached as u8, Relaxed);
        true
    }

    /// Fails once a time limit has passed: asked before each host call.
    pub fn check(&self, limits: &Limits) -> Result<(), Error> {
        let reached = self.overdue();
        if reached != Reached::None {
            self.reached.store(reached as u8, Relaxed);
        }
        self.error(limits).map_or(Ok(()), Err)
    }

    /// The error of the limit that interrupted a statement, if one did.
    pub fn error(&self, limits: &Limits) -> Option<Error> {
        let (limit, allowed) = match self.reached.load(Relaxed) {
            code if code == Reached::Steps as u8 => ("sql_steps", limits.sql_steps),
            code if code == Reached::LogLock as u8 => ("log_lock", millis(limits.log_lock)),
            code if code == Reached::WallTime as u8 => ("wall_time", millis(limits.wall_time)),
            code if code == Reached::Cancelled as u8 => return Some(Error::Interrupted),
            code if code == Reached::Disk as u8 => ("scratch_quota", 0),
            _ => return None,
        };
        Some(Error::Budget { limit, allowed })
    }

    fn overdue(&self) -> Reached {
        let now = self.after(Duration::ZERO);
        if now >= self.lock_until.load(Relaxed) {
            Reached::LogLock
        } else if now >= self.wall_until.load(Relaxed) {
            Reached::WallTime
        } else if crate::interrupt::requested() {
            Reached::Cancelled
        } else {
            Reached::None
        }
    }

    fn after(&self, span: Duration) -> u64 {
        u64::try_from((self.base.elapsed() + span).as_nanos()).unwrap_or(u64::MAX)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disarmed_budget_never_interrupts() {
        let budget = Budget::default();
        budget.arm(&Limits { sql_steps: 0, ..Limits::default() });
        budget.disarm();
        assert!(!budget.spend());
    }

    #[test]
    fn each_limit_is_named_when_it_is_reached() {
        let limits = Limits { sql_steps: 1000, ..Limits::default() };
        let budget = Budget::default();
        budget.arm(&limits);
        assert!(!budget.spend());
        assert!(budget.spend());
        assert!(matches!(budget.error(&limits), Some(Error::Budget { limit: "sql_steps", allowed: 1000 })));

        budget.arm(&Limits { wall_time: Duration::ZERO, ..Limits::default() });
        assert!(matches!(budget.check(&limits), Err(Error::Budget { limit: "wall_time", .. })));

        budget.arm(&limits);
        budget.lock_log(&Limits { log_lock: Duration::ZERO, ..Limits::default() });
        assert!(matches!(budget.check(&limits), Err(Error::Budget { limit: "log_lock", .. })));
        budget.arm(&limits);
        assert!(budget.check(&limits).is_ok());
    }
}

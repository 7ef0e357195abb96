//! What a request may still use. Shared with SQLite's progress handler, with the watchdog, and with
//! whoever may cancel the request: each of them cuts a statement short.

use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::InterruptHandle;

use crate::error::Error;
use crate::limits::Limits;
use crate::overdue::Flag;

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
    Interrupted = 4,
    Disk = 5,
    Cancelled = 6,
}

/// Time between two questions about the disk. Not steps: a step that writes a long row to a temporary file
/// takes thousands of times as long as others. In a millisecond a thread writes a few MiB.
const MEASURED_EVERY: Duration = Duration::from_millis(1);

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
    cancelled: AtomicBool,
    reached: AtomicU8,
    overdue: Flag,
    disk_full: OnceLock<DiskFull>,
    measure_at: AtomicU64,
    door: Mutex<Door>,
}

/// Whoever interrupts from another thread stands in the door; a request that ends waits until it is
/// free, so an interrupt never hits the next one.
#[derive(Default)]
struct Door {
    running: bool,
    interrupt: Option<InterruptHandle>,
}

impl Door {
    fn interrupt(&self) {
        if let Some(handle) = &self.interrupt {
            handle.interrupt();
        }
    }
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
            cancelled: AtomicBool::new(false),
            reached: AtomicU8::new(0),
            overdue: Flag::default(),
            disk_full: OnceLock::new(),
            door: Mutex::default(),
            measure_at: AtomicU64::new(0),
        }
    }
}

impl Budget {
    /// From now on it is this connection's statements that are interrupted.
    pub fn connect(&self, interrupt: InterruptHandle) {
        self.door().interrupt = Some(interrupt);
    }

    /// Has the disk measured now and then while statements run. Set once.
    pub fn watch_disk(&self, full: impl Fn() -> bool + Send + Sync + 'static) {
        // A second watch would only repeat the first.
        let _ = self.disk_full.set(Box::new(full));
    }

    /// A request begins that can be cancelled. False where one is under way already: it goes on.
    pub fn enter(&self) -> bool {
        let mut door = self.door();
        let begins = !door.running;
        if begins {
            door.running = true;
            self.cancelled.store(false, Relaxed);
        }
        begins
    }

    /// The request is over: a cancel that comes now comes too late, and affects nothing.
    pub fn leave(&self) {
        let mut door = self.door();
        door.running = false;
        self.cancelled.store(false, Relaxed);
    }

    /// Starts a call: nothing is used, the wall clock runs.
    pub fn arm(&self, limits: &Limits) {
        self.disarm();
        self.steps.store(0, Relaxed);
        self.step_limit.store(limits.sql_steps, Relaxed);
        self.lock_until.store(u64::MAX, Relaxed);
        self.wall_until.store(self.after(limits.wall_time), Relaxed);
        self.reached.store(Reached::None as u8, Relaxed);
        self.overdue.set(false);
        self.armed.store(true, Release);
    }

    /// Starts what the host does on behalf of a call that is over, within this time. False where a call runs: then it is
    /// within that call's budget.
    pub(crate) fn arm_after(&self, time: Duration) -> bool {
        let idle = !self.armed.load(Acquire);
        if idle {
            self.arm(&Limits { wall_time: time, sql_steps: u64::MAX, ..Limits::default() });
        }
        idle
    }

    /// The log is locked from now on.
    pub fn lock_log(&self, limits: &Limits) {
        self.lock_until.store(self.after(limits.log_lock), Relaxed);
    }

    /// The log's lock is given back.
    pub fn unlock_log(&self) {
        self.lock_until.store(u64::MAX, Relaxed);
    }

    /// Ends the call: statements of the host's own run free. When it returns, nobody is about to
    /// interrupt.
    pub fn disarm(&self) {
        if self.armed.swap(false, Release) {
            drop(self.door());
        }
    }

    /// Ends the running request as soon as it looks; nothing where none runs.
    fn cancel(&self) {
        let door = self.door();
        if door.running {
            self.cancelled.store(true, Release);
            if self.armed.load(Acquire) {
                self.reach(Reached::Cancelled);
                door.interrupt();
            }
        }
    }

    /// Whether the running request is cancelled.
    pub fn cancelled(&self) -> bool {
        self.cancelled.load(Acquire)
    }

    /// Fails once the running request is cancelled.
    pub fn check_cancelled(&self) -> Result<(), Error> {
        if self.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// The watchdog's look: interrupts what is overdue.
    pub(super) fn look(&self) {
        if !self.armed.load(Acquire) || self.overdue() == Reached::None {
            return;
        }
        let door = self.door();
        // What was overdue may have ended before the door was free.
        let reached = self.overdue();
        if self.armed.load(Acquire) && reached != Reached::None {
            self.reach(reached);
            door.interrupt();
        }
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
        } else if self.is_disk_full() {
            Reached::Disk
        } else {
            self.overdue()
        };
        if reached == Reached::None {
            return false;
        }
        self.reach(reached);
        true
    }

    /// This limit is reached: whatever still runs gets no further.
    fn reach(&self, reached: Reached) {
        self.reached.store(reached as u8, Relaxed);
        self.overdue.set(true);
    }

    /// Whether a statement is to be cut, or was.
    pub(crate) fn is_overdue(&self) -> bool {
        self.overdue.is_set()
    }

    /// From now on this thread runs a strategy's statement within this budget, until [`crate::overdue::leave`].
    pub(crate) fn run_here(&self) {
        self.overdue.enter();
    }

    /// Steps of SQLite's virtual machine that the call has taken, as far as they were counted.
    pub fn steps(&self) -> u64 {
        self.steps.load(Relaxed)
    }

    /// Fails once a time limit has passed: asked before each host call.
    pub fn check(&self, limits: &Limits) -> Result<(), Error> {
        let reached = self.overdue();
        if reached != Reached::None {
            self.reach(reached);
        }
        self.error(limits).map_or(Ok(()), Err)
    }

    /// The error of the limit that interrupted a statement, if one did.
    pub fn error(&self, limits: &Limits) -> Option<Error> {
        let (limit, allowed) = match self.reached.load(Relaxed) {
            code if code == Reached::Steps as u8 => ("sql_steps", limits.sql_steps),
            code if code == Reached::LogLock as u8 => ("log_lock", millis(limits.log_lock)),
            code if code == Reached::WallTime as u8 => ("wall_time", millis(limits.wall_time)),
            code if code == Reached::Interrupted as u8 => return Some(Error::Interrupted),
            code if code == Reached::Cancelled as u8 => return Some(Error::Cancelled),
            code if code == Reached::Disk as u8 => ("scratch_quota", 0),
            _ => return None,
        };
        Some(Error::Budget { limit, allowed })
    }

    /// Whether the disk is measured again, and has been outgrown.
    fn is_disk_full(&self) -> bool {
        let Some(full) = self.disk_full.get() else { return false };
        if self.after(Duration::ZERO) < self.measure_at.load(Relaxed) {
            return false;
        }
        self.measure_at.store(self.after(MEASURED_EVERY), Relaxed);
        full()
    }

    fn overdue(&self) -> Reached {
        let now = self.after(Duration::ZERO);
        if now >= self.lock_until.load(Relaxed) {
            Reached::LogLock
        } else if now >= self.wall_until.load(Relaxed) {
            Reached::WallTime
        } else if crate::interrupt::requested() {
            Reached::Interrupted
        } else if self.cancelled() {
            Reached::Cancelled
        } else {
            Reached::None
        }
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn after(&self, span: Duration) -> u64 {
        u64::try_from((self.base.elapsed() + span).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Cancels the running request of one session or worker, from any thread.
#[derive(Clone)]
pub struct Canceller {
    budget: Arc<Budget>,
}

impl Canceller {
    /// A handle on the requests that keep to this budget.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget) }
    }

    /// Ends the running request, be it in SQL or in the strategy's own code: it fails with
    /// [`Error::Cancelled`]. Between requests it does nothing, now or later.
    pub fn cancel(&self) {
        self.budget.cancel();
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
    fn a_cancel_between_requests_affects_nothing_later() {
        let budget = Arc::new(Budget::default());
        let canceller = Canceller::new(&budget);
        canceller.cancel();
        assert!(budget.enter());
        assert!(budget.check_cancelled().is_ok());
        canceller.cancel();
        assert!(matches!(budget.check(&Limits::default()), Err(Error::Cancelled)));
        assert!(!budget.enter(), "it is still the same request");
        assert!(budget.cancelled());
        budget.leave();
        canceller.cancel();
        assert!(budget.enter());
        assert!(!budget.cancelled());
    }

    #[test]
    fn whatever_was_reached_is_the_error() {
        let (budget, limits) = (Budget::default(), Limits::default());
        let error = |reached: Reached| {
            budget.reached.store(reached as u8, Relaxed);
            budget.error(&limits).map(|error| match error {
                Error::Budget { limit, allowed } => format!("{limit} {allowed}"),
                other => other.code().to_owned(),
            })
        };
        assert_eq!(error(Reached::None), None);
        for (reached, told) in [
            (Reached::Steps, "sql_steps 2000000"),
            (Reached::LogLock, "log_lock 50"),
            (Reached::WallTime, "wall_time 500"),
            (Reached::Interrupted, "interrupted"),
            (Reached::Disk, "scratch_quota 0"),
            (Reached::Cancelled, "cancelled"),
        ] {
            assert_eq!(error(reached).as_deref(), Some(told));
        }
    }

    #[test]
    fn the_disk_is_asked_about_now_and_then_and_ends_the_statement_when_it_is_full() {
        let (budget, asked) = (Budget::default(), Arc::new(AtomicU64::new(0)));
        let (count, base) = (Arc::clone(&asked), Instant::now());
        budget.watch_disk(move || count.fetch_add(1, Relaxed) > 1);
        budget.arm(&Limits { sql_steps: u64::MAX, wall_time: Duration::from_mins(1), ..Limits::default() });
        while !budget.spend() {}
        assert!(matches!(
            budget.error(&Limits::default()),
            Some(Error::Budget { limit: "scratch_quota", .. })
        ));
        // The first question is asked at once, the next two a millisecond later each.
        assert_eq!(asked.load(Relaxed), 3);
        assert!(base.elapsed() >= MEASURED_EVERY * 2);
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
        budget.lock_log(&Limits { log_lock: Duration::ZERO, ..Limits::default() });
        budget.unlock_log();
        assert!(budget.check(&limits).is_ok());
    }
}

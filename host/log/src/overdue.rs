//! Whether a statement is over its time: what the watchdog tells to whatever works within one instruction of SQLite's
//! virtual machine, where nothing looks at the interrupt flag. Allocations fail from then on, and comparisons end.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Flags of budgets that are gone. A flag lives as long as the process, so that a thread which still has it may look
/// at it at any time; each is used again and again, and there are as many as there ever were budgets at once.
static UNUSED: Mutex<Vec<&'static AtomicBool>> = Mutex::new(Vec::new());

thread_local! {
    /// The flag of the strategy's statement that this thread runs; none while the host's own runs.
    static RUNNING: Cell<Option<&'static AtomicBool>> = const { Cell::new(None) };
}

/// The flag of one budget.
pub(crate) struct Flag(&'static AtomicBool);

impl Default for Flag {
    fn default() -> Self {
        let flag = unused().pop().unwrap_or_else(|| Box::leak(Box::default()));
        flag.store(false, Relaxed);
        Self(flag)
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        unused().push(self.0);
    }
}

impl Flag {
    /// Its statement is over its time, or is not any more.
    pub(crate) fn set(&self, overdue: bool) {
        self.0.store(overdue, Relaxed);
    }

    /// Whether its statement is over its time, so that nothing that came of it counts.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// From now on this thread runs a strategy's statement within this flag's budget.
    pub(crate) fn enter(&self) {
        RUNNING.set(Some(self.0));
    }
}

/// From now on this thread runs the host's own statements.
pub(crate) fn leave() {
    RUNNING.set(None);
}

/// Whether the strategy's statement that this thread runs is over its time.
pub(crate) fn is_running_overdue() -> bool {
    RUNNING.get().is_some_and(|flag| flag.load(Relaxed))
}

fn unused() -> MutexGuard<'static, Vec<&'static AtomicBool>> {
    UNUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_seen_by_the_thread_that_runs_within_it_and_by_no_other() {
        let flag = Flag::default();
        assert!(!is_running_overdue());
        flag.enter();
        assert!(!is_running_overdue());
        flag.set(true);
        assert!(is_running_overdue() && flag.is_set());
        assert!(!std::thread::spawn(is_running_overdue).join().unwrap());
        leave();
        assert!(!is_running_overdue());
        drop(flag);
        assert!(!Flag::default().is_set());
    }
}

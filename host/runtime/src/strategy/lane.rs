//! Which threads run first: strategies that do not serve run only on time that nobody else wants.
//!
//! Beside eight spinning threads of equal priority an honest strategy's P99 grows a hundredfold; beside
//! eight idle ones it stays as it was. But an idle thread may be taken off its processor while it holds a lock
//! of the engine's, of SQLite's or of the kernel's that everybody needs, and whoever waits for the lock waits for
//! all that is idle: beside eight threads whose instances trap at once, P99 was 6 ms instead of 0.8. So idle
//! threads answer pages one at a time: as soon as somebody waits for the one, nothing stands before it.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, PoisonError};

use thread_priority::{
    NormalThreadSchedulePolicy, ScheduleParams, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id, thread_schedule_policy_param,
};

use keyhole_log::error::Error;

/// Puts the calling thread, and the threads that it starts from now on, on idle priority: for good, since
/// the system may refuse the way back. For audits, proofs and shadows.
pub fn idle() -> Result<(), Error> {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy)
        .map_err(|error| Error::Engine(format!("this thread's priority cannot be lowered: {error:?}")))?;
    IDLE.set(Some(true));
    Ok(())
}

thread_local! {
    /// Whether this thread is on idle priority, once it was asked: it never comes back from it.
    static IDLE: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Whose turn it is among the idle threads: in the order in which they asked.
struct Queue {
    next: u64,
    served: u64,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { next: 0, served: 0 });
static MOVED: Condvar = Condvar::new();

/// An idle thread's turn; it ends when this is dropped.
pub(crate) struct Turn(());

/// Waits for the calling thread's turn. None, at once, for a thread that is not idle.
pub(crate) fn turn() -> Option<Turn> {
    let idle = IDLE.get().unwrap_or_else(|| {
        let idle = is_idle();
        IDLE.set(Some(idle));
        idle
    });
    idle.then(|| {
        let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = queue.next;
        queue.next += 1;
        drop(MOVED.wait_while(queue, |queue| queue.served != ticket).unwrap_or_else(PoisonError::into_inner));
        Turn(())
    })
}

impl Drop for Turn {
    fn drop(&mut self) {
        QUEUE.lock().unwrap_or_else(PoisonError::into_inner).served += 1;
        MOVED.notify_all();
    }
}

/// Whether the calling thread is on idle priority.
pub fn is_idle() -> bool {
    let policy: Result<(ThreadSchedulePolicy, ScheduleParams), _> =
        thread_schedule_policy_param(thread_native_id());
    matches!(policy, Ok((ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle), _)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_threads_take_turns_and_others_never_wait() {
        use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
        let (running, most) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    idle().unwrap();
                    for _ in 0..20 {
                        let _turn = turn().unwrap();
                        most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                        std::thread::yield_now();
                        running.fetch_sub(1, SeqCst);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
        let held = std::thread::spawn(|| {
            idle().unwrap();
            let _turn = turn().unwrap();
            std::thread::spawn(|| assert!(is_idle())).join().unwrap();
        });
        assert!(turn().is_none());
        held.join().unwrap();
    }

    #[test]
    fn a_thread_that_goes_idle_takes_those_that_it_starts_with_it_and_no_other() {
        let (own, started) = std::thread::spawn(|| {
            idle().unwrap();
            (is_idle(), std::thread::spawn(is_idle).join().unwrap())
        })
        .join()
        .unwrap();
        assert!(own && started);
        assert!(!is_idle());
    }
}

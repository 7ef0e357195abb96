//! Which threads run first: strategies that do not serve run only on time that nobody else wants.
//!
//! Beside eight spinning threads of equal priority an honest strategy's P99 grows a hundredfold; beside
//! eight idle ones it stays as it was.

use thread_priority::{
    NormalThreadSchedulePolicy, ScheduleParams, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id, thread_schedule_policy_param,
};

use crate::error::Error;

/// Puts the calling thread, and the threads that it starts from now on, on idle priority: for good, since
/// the system may refuse the way back. For audits, proofs and shadows.
pub fn idle() -> Result<(), Error> {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy)
        .map_err(|error| Error::Engine(format!("this thread's priority cannot be lowered: {error:?}")))
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

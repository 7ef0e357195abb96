//! A strategy whose refresh failed is not asked for the next one at once: a refresh may take minutes, and
//! whoever wants a page would have it run again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyhole_log::Identity;
use keyhole_log::error::Error;

/// The pause after the first failure, where the attempt was no longer than that.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST: Duration = Duration::from_mins(5);

/// What a refresh worked on: once any of it is another file, the failure says nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) log: Option<Identity>,
    pub(super) scratch: Option<Identity>,
}

/// The failures of one strategy on one log, one after the other.
#[derive(Default)]
pub(super) struct Backoff {
    last: Mutex<Option<Failure>>,
}

struct Failure {
    error: Arc<Error>,
    subject: Subject,
    times: u32,
    until: Instant,
}

impl Backoff {
    /// Fails with the recorded error until the pause is over.
    pub(super) fn check(&self, subject: Subject, now: Instant) -> Result<(), Error> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(failure) = last.as_ref() else { return Ok(()) };
        if failure.subject != subject {
            *last = None;
            return Ok(());
        }
        match failure.until.checked_duration_since(now) {
            Some(retry_after) if !retry_after.is_zero() => {
                Err(Error::Repeated { retry_after, source: Arc::clone(&failure.error) })
            }
            _ => Ok(()),
        }
    }

    /// Takes down how an attempt ended that began then. What is not the strategy's doing is no failure here.
    pub(super) fn record(
        &self,
        outcome: Result<(), Error>,
        subject: Subject,
        began: Instant,
        now: Instant,
    ) -> Result<(), Error> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(()) => {
                *last = None;
                Ok(())
            }
            Err(error) if error.blames_strategy() => {
                let times = last.as_ref().map_or(0, |failure| failure.times).saturating_add(1);
                let first = now.saturating_duration_since(began).max(FIRST);
                let doubled = 1u32.checked_shl(times - 1).unwrap_or(u32::MAX);
                let retry_after = first.saturating_mul(doubled).min(LONGEST);
                let source = Arc::new(error);
                *last =
                    Some(Failure { error: Arc::clone(&source), subject, times, until: now + retry_after });
                Err(Error::Repeated { retry_after, source })
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyhole_log::error::Bound;

    const SUBJECT: Subject = Subject { log: Some(Identity { device: 1, inode: 1 }), scratch: None };

    fn fail(backoff: &Backoff, now: Instant) -> Duration {
        let outcome = Err(Error::ScratchRefused { why: "it says nothing".to_owned() });
        match backoff.record(outcome, SUBJECT, now, now) {
            Err(Error::Repeated { retry_after, .. }) => retry_after,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_failure_doubles_the_pause_up_to_the_longest() {
        let (backoff, mut now) = (Backoff::default(), Instant::now());
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert!(backoff.check(SUBJECT, now).is_ok());
            let pause = fail(&backoff, now);
            assert_eq!(pause, Duration::from_secs(seconds));
            let early =
                backoff.check(SUBJECT, now + pause.saturating_sub(Duration::from_millis(1))).unwrap_err();
            assert_eq!((early.code(), early.blames_strategy()), ("scratch-refused", true));
            now += pause;
        }
    }

    #[test]
    fn a_success_or_another_file_ends_it_and_what_is_not_the_strategys_fault_begins_none() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        let others = [
            Subject { log: Some(Identity { device: 1, inode: 2 }), ..SUBJECT },
            Subject { scratch: Some(Identity { device: 1, inode: 3 }), ..SUBJECT },
        ];
        for other in others {
            fail(&backoff, now);
            assert!(backoff.check(SUBJECT, now).is_err());
            assert!(backoff.check(other, now).is_ok());
            assert_eq!(fail(&backoff, now), FIRST);
            backoff.record(Ok(()), SUBJECT, now, now).unwrap();
            assert!(backoff.check(SUBJECT, now).is_ok());
        }
        assert!(backoff.record(Err(Error::Busy), SUBJECT, now, now).is_err());
        assert!(backoff.check(SUBJECT, now).is_ok());
    }

    #[test]
    fn an_attempt_that_took_long_is_followed_by_as_long_a_pause() {
        let (backoff, began) = (Backoff::default(), Instant::now());
        let now = began + Duration::from_secs(20);
        let outcome = backoff.record(Err(Error::ScratchFull { bound: Bound::Quota(1) }), SUBJECT, began, now);
        assert!(matches!(outcome, Err(Error::Repeated { retry_after, .. }) if retry_after.as_secs() == 20));
    }
}

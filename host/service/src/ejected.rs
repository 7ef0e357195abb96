//! Whether a deployment may serve, and if not, why: what is graver stays, whatever is said of it later.

use std::sync::atomic::{
    AtomicU8,
    Ordering::{Acquire, Relaxed, Release},
};

/// Why a deployment was ejected, by gravity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Ejected {
    /// Its breaker opened.
    Tripped = 1,
    /// The policy no longer lets it in. What it is answering is thrown away.
    Revoked = 2,
    /// It served a wrong page. What it is answering is thrown away, and nothing takes this back.
    Refuted = 3,
}

/// The gravest reason for which a deployment was ejected, if it was.
#[derive(Debug, Default)]
pub(super) struct Ejection(AtomicU8);

impl Ejection {
    /// Begins no request from now on.
    pub(super) fn add(&self, why: Ejected) {
        self.0.fetch_max(why as u8, Release);
    }

    /// Takes back what a breaker did. False where something graver stands.
    pub(super) fn lift(&self) -> bool {
        let _ = self.0.compare_exchange(Ejected::Tripped as u8, 0, Release, Relaxed);
        !self.may_not_begin()
    }

    /// Whether no request may be begun.
    pub(super) fn may_not_begin(&self) -> bool {
        self.0.load(Acquire) != 0
    }

    /// Whether no request may even be finished.
    pub(super) fn may_not_finish(&self) -> bool {
        self.0.load(Acquire) >= Ejected::Revoked as u8
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::breaker::Breaker;
    use keyhole_log::error::Error;

    /// A liar that trips its own breaker before the comparison speaks is not let in again by the end of a rest.
    #[test]
    fn a_lie_that_is_found_while_the_breaker_rests_stands_over_the_rest() {
        let (breaker, out) = (Breaker::new(5, Duration::from_mins(1)), Ejection::default());
        let opened = (0..5).filter(|_| breaker.failed(&Error::GaveUp { what: "?".to_owned() })).count();
        assert_eq!(opened, 1);
        out.add(Ejected::Tripped);
        assert!(out.may_not_begin() && !out.may_not_finish(), "what it began it finishes");
        breaker.lied("lie:stale-page".to_owned());
        out.add(Ejected::Refuted);
        breaker.close();
        assert!(!out.lift() && out.may_not_begin() && out.may_not_finish(), "a rest brings back no liar");
        out.add(Ejected::Tripped);
        out.add(Ejected::Revoked);
        assert!(!out.lift() && out.may_not_finish(), "nothing that is said later takes it back");
    }

    #[test]
    fn a_rest_takes_back_what_the_breaker_did_and_no_revocation() {
        let out = Ejection::default();
        assert!(!out.may_not_begin() && !out.may_not_finish());
        out.add(Ejected::Tripped);
        assert!(out.lift() && !out.may_not_begin());
        out.add(Ejected::Revoked);
        assert!(!out.lift() && out.may_not_finish());
    }
}

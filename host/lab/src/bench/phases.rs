//! Where a page's time went, phase by phase.
//!
//! The worker's ledger times its phases anyway; here they are only added up, eight additions a request, and
//! outside of the timed span.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::interval::median;
use keyhole_log::ledger;
use keyhole_log::units::{float, whole_nanos};

/// The phases in the order in which a request passes them.
pub const PHASES: [&str; 9] =
    ["queue", "snapshot", "instantiate", "guest", "host calls", "check", "payloads", "render", "other"];

/// Time in each of [`PHASES`], in nanoseconds, of a number of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Phases([u64; PHASES.len()]);

/// One page's share of each phase in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseTimes {
    /// Waiting for a worker.
    pub queue: f64,
    /// Taking the snapshot.
    pub snapshot: f64,
    /// Making the instance.
    pub instantiate: f64,
    /// The strategy's own code.
    pub guest: f64,
    /// What the strategy asked of the host, its statements above all. Of a native strategy, whose calls
    /// cross no boundary, part of `guest`.
    pub host_calls: f64,
    /// Reading the page's rows, checking them, and giving the log's lock back.
    pub check: f64,
    /// Reading the payloads and proving that each is one JSON value.
    pub payloads: f64,
    /// Writing the page as bytes.
    pub render: f64,
    /// Service time that none of the others counts.
    pub other: f64,
}

impl Phases {
    /// One request's: from its pager's own account, if it keeps one, and from the moments at which it
    /// entered, was taken, had its page and was answered.
    pub(super) fn of(
        account: Option<ledger::Phases>,
        entered: Duration,
        taken: Duration,
        paged: Duration,
        answered: Duration,
    ) -> Self {
        let account = account.unwrap_or_default();
        let known = [
            account.snapshot,
            account.instantiate,
            account.strategy.saturating_sub(account.host_calls),
            account.host_calls,
            account.check,
            account.payloads,
        ];
        let other = paged.saturating_sub(taken).saturating_sub(known.iter().sum());
        let queue = taken.saturating_sub(entered);
        let render = answered.saturating_sub(paged);
        let [snapshot, instantiate, guest, host_calls, check, payloads] = known;
        let all = [queue, snapshot, instantiate, guest, host_calls, check, payloads, render, other];
        Self(all.map(whole_nanos))
    }

    /// Adds other requests' times.
    pub(super) fn add(&mut self, other: Self) {
        for (sum, part) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(part);
        }
    }

    /// The mean of so many requests.
    pub(super) fn mean(&self, requests: usize) -> PhaseTimes {
        let count = float(requests.max(1) as u64) * 1_000.0;
        PhaseTimes::from_array(self.0.map(|sum| float(sum) / count))
    }
}

impl PhaseTimes {
    fn from_array(times: [f64; PHASES.len()]) -> Self {
        let [queue, snapshot, instantiate, guest, host_calls, check, payloads, render, other] = times;
        Self { queue, snapshot, instantiate, guest, host_calls, check, payloads, render, other }
    }

    /// In the order of [`PHASES`].
    pub fn to_array(self) -> [f64; PHASES.len()] {
        let Self { queue, snapshot, instantiate, guest, host_calls, check, payloads, render, other } = self;
        [queue, snapshot, instantiate, guest, host_calls, check, payloads, render, other]
    }

    /// Each phase's median over rounds: one stalled round does not colour the whole.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let rounds: Vec<_> = rounds.iter().map(|round| round.to_array()).collect();
        Self::from_array(std::array::from_fn(|at| median(rounds.iter().map(|round| round[at]).collect())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    const AT: fn(u64) -> Duration = Duration::from_micros;

    #[test]
    fn the_phases_of_a_request_add_up_to_its_latency() {
        let account = ledger::Phases {
            snapshot: AT(5),
            instantiate: AT(6),
            strategy: AT(30),
            host_calls: AT(20),
            check: AT(7),
            log_lock: AT(99),
            payloads: AT(40),
        };
        let mut sum = Phases::of(Some(account), AT(100), AT(110), AT(200), AT(212));
        sum.add(sum);
        let mean = sum.mean(2);
        assert_eq!(mean.to_array(), [10.0, 5.0, 6.0, 10.0, 20.0, 7.0, 40.0, 12.0, 2.0]);
        assert_eq!(mean.to_array().iter().sum::<f64>(), 112.0);
    }

    #[test]
    fn a_pager_without_an_account_still_has_queue_render_and_the_rest() {
        let mean = Phases::of(None, AT(0), AT(3), AT(13), AT(14)).mean(1);
        assert_eq!(mean, PhaseTimes { queue: 3.0, render: 1.0, other: 10.0, ..PhaseTimes::default() });
    }

    #[test]
    fn a_stalled_round_does_not_colour_the_median() {
        let round = |check| PhaseTimes { check, ..PhaseTimes::default() };
        assert_eq!(PhaseTimes::median(&[round(4.0), round(900.0), round(5.0)]).check, 5.0);
        assert_eq!(PhaseTimes::median(&[round(4.0), round(6.0)]).check, 5.0);
        assert_eq!(PhaseTimes::median(&[]).check, 0.0);
    }
}

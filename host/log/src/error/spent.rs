//! What a request used until it ended.

use std::fmt;
use std::time::Duration;

use super::Error;
use crate::limits::Limits;

/// Limits that a thread which gets no time reaches without the strategy's doing.
const TIME_LIMITS: [&str; 3] = ["guest_time", "wall_time", "log_lock"];

/// What share of the time that passed is small. A strategy that spins on a processor that it shares with fourteen others
/// has more of it than that.
const SMALL_SHARE: u32 = 16;

/// What share of the limits on steps and rows is small: more than the largest honest page takes.
const FEW: u64 = 8;

/// What a request used until it ended: beside a limit on time it tells a strategy that took too long from a machine that
/// had no time for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Time of its thread on a processor.
    pub processor: Duration,
    /// Time that passed.
    pub elapsed: Duration,
    /// Steps of SQLite's virtual machine, in thousands as they are counted.
    pub steps: u64,
    /// Rows that statements of the strategy returned.
    pub rows: u64,
}

impl fmt::Display for Spent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            out,
            "{:.1} ms of processor time in {:.1} ms, {} steps, {} rows",
            millis(self.processor),
            millis(self.elapsed),
            self.steps,
            self.rows
        )
    }
}

impl Error {
    /// `Starved` in place of a limit on time that passed while no more than this was used, if that is little: the machine
    /// was busy, or stood still, and it is nobody's fault.
    #[must_use]
    pub fn or_starved(self, spent: Spent, limits: &Limits) -> Self {
        match self {
            Self::Budget { limit, allowed } if TIME_LIMITS.contains(&limit) && spent.is_little(limits) => {
                Self::Starved { limit, allowed, spent }
            }
            error => error,
        }
    }
}

impl Spent {
    /// Whether its thread had a small share of the time that passed, and took few steps and rows.
    fn is_little(&self, limits: &Limits) -> bool {
        self.processor < self.elapsed / SMALL_SHARE
            && self.steps <= limits.sql_steps / FEW
            && self.rows <= limits.rows / FEW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_limit_on_time_that_passed_while_little_was_used_is_nobodys_fault() {
        let limits = Limits::default();
        let budget = |limit, allowed| Error::Budget { limit, allowed };
        let judged = |error: Error, spent: Spent| {
            let error = error.or_starved(spent, &limits);
            (error.code(), error.blames_strategy())
        };
        let millis = Duration::from_millis;
        let idle = Spent { elapsed: millis(700), ..Spent::default() };
        for (limit, allowed) in [("guest_time", 50), ("wall_time", 500), ("log_lock", 50)] {
            assert_eq!(judged(budget(limit, allowed), idle), ("starved", false), "{limit}");
            // It was at work, and then the process was stopped.
            let stopped = Spent { processor: millis(40), ..idle };
            assert_eq!(judged(budget(limit, allowed), stopped), ("starved", false), "{limit}");
            let spins = |share: u32| Spent {
                processor: millis(allowed) / share,
                elapsed: millis(allowed),
                ..Spent::default()
            };
            for used in [
                spins(1),
                // Among fifteen that spin.
                spins(15),
                Spent { steps: limits.sql_steps / 8 + 1, ..idle },
                Spent { rows: limits.rows / 8 + 1, ..idle },
            ] {
                assert_eq!(judged(budget(limit, allowed), used), ("budget", true), "{limit}: {used}");
            }
        }
        for limit in ["sql_steps", "rows", "payload_bytes", "fuel", "memory"] {
            assert_eq!(judged(budget(limit, 1), idle), ("budget", true), "{limit}");
        }
        let other = judged(Error::GaveUp { what: "no".to_owned() }, idle);
        assert_eq!(other, ("gave-up", true));
    }

    #[test]
    fn what_is_logged_has_limit_unit_and_what_was_used() {
        let spent = Spent {
            processor: Duration::from_micros(3_140),
            elapsed: Duration::from_millis(502),
            steps: 2_000,
            rows: 50,
        };
        let used = "3.1 ms of processor time in 502.0 ms, 2000 steps, 50 rows";
        assert_eq!(spent.to_string(), used);
        let error = Error::Budget { limit: "wall_time", allowed: 500 };
        assert_eq!(error.to_string(), "over the limit wall_time (500 ms)");
        let error = error.or_starved(spent, &Limits::default()).to_string();
        assert_eq!(
            error,
            format!("the machine was too busy: wall_time (500 ms) passed while the request took {used}")
        );
        assert_eq!(
            Error::Budget { limit: "payload_bytes", allowed: 9 }.to_string(),
            "over the limit payload_bytes (9 bytes)"
        );
        assert_eq!(Error::Budget { limit: "rows", allowed: 9 }.to_string(), "over the limit rows (9)");
    }
}

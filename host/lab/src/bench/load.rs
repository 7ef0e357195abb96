//! How requests come, and how many workers serve them.

use serde::{Deserialize, Serialize};

/// The load of a mix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Closed loop: requests in flight. With a rate it has no say.
    pub concurrency: usize,
    /// Workers: see [`workers_for`].
    pub workers: usize,
    /// Open loop: requests per second, sent whether or not earlier ones were answered. None: closed.
    pub rate: Option<f64>,
}

/// How many workers serve `concurrency` requests in flight: no more than there are cores, because
/// more would only wait for each other.
pub fn workers_for(concurrency: usize) -> usize {
    concurrency.min(std::thread::available_parallelism().map_or(1, usize::from))
}

impl Load {
    /// A closed loop with as many requests in flight.
    pub fn closed(concurrency: usize) -> Self {
        Self { concurrency, workers: workers_for(concurrency), rate: None }
    }

    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<String> {
        let Self { concurrency, workers, rate } = *self;
        match rate {
            Some(rate) if !(rate.is_finite() && (MIN_RATE..=MAX_RATE).contains(&rate)) => Some(format!(
                "a rate of {rate} requests per second cannot be kept: take {MIN_RATE} to {MAX_RATE}"
            )),
            Some(_) if workers == 0 => Some("an open loop needs at least one worker".into()),
            None if workers == 0 || workers > concurrency => {
                Some(format!("{workers} workers cannot hold {concurrency} requests in flight"))
            }
            _ => None,
        }
    }

    /// The load in words: `4 in flight on 2 workers`, `500 a second on 2 workers`.
    pub fn words(&self) -> String {
        let Self { concurrency, workers, rate } = *self;
        let on = if workers == 1 { "1 worker".to_owned() } else { format!("{workers} workers") };
        match rate {
            Some(rate) => format!("open loop, {rate} a second on {on}"),
            None => format!("{concurrency} in flight on {on}"),
        }
    }
}

const MIN_RATE: f64 = 0.01;
const MAX_RATE: f64 = 10_000_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_cannot_be_made_says_why() {
        let load = |concurrency, workers, rate| Load { concurrency, workers, rate }.fault();
        assert_eq!(load(4, 2, None), None);
        assert_eq!(load(0, 2, Some(100.0)), None);
        let crowded = "3 workers cannot hold 2 requests in flight";
        assert_eq!(load(2, 3, None).as_deref(), Some(crowded));
        assert!(load(2, 0, None).is_some() && load(2, 0, Some(1.0)).is_some());
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(load(2, 1, Some(rate)).is_some_and(|why| why.contains("cannot be kept")), "{rate}");
        }
    }

    #[test]
    fn a_load_reads_as_it_is() {
        let load = |workers, rate| Load { concurrency: 4, workers, rate }.words();
        assert_eq!(load(2, None), "4 in flight on 2 workers");
        assert_eq!(load(1, None), "4 in flight on 1 worker");
        assert_eq!(load(2, Some(500.0)), "open loop, 500 a second on 2 workers");
    }
}

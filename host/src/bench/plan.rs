//! What is to be measured: requests, rounds, contenders, and in which order they run.

use std::collections::HashSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::page::{PageRequest, Pager};

/// Requests of one kind.
#[derive(Clone, Debug)]
pub struct Mix {
    /// Its name, unique in a plan: `contract`, `dense`.
    pub name: String,
    /// What is asked, in order.
    pub requests: Vec<PageRequest>,
}

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The mixes, one after another.
    pub mixes: Vec<Mix>,
    /// Requests that each contender answers before each mix, not counted.
    pub warmup: usize,
    /// Into how many slices a mix is cut; a mix with fewer requests has one slice a request.
    pub rounds: usize,
    /// Requests in flight.
    pub concurrency: usize,
    /// Workers: see [`workers_for`].
    pub workers: usize,
}

/// Whether a contender runs in the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A WebAssembly component.
    Wasm,
    /// Plain Rust over the same log.
    Native,
}

/// One side of the comparison.
pub struct Contender {
    /// Unique among the contenders: `keyset`, `keyset-warm`, `native-keyset`.
    pub strategy: String,
    /// Sandboxed or not.
    pub kind: Kind,
    /// How its instances live: `fresh`, `warm:N`, or `none` for plain Rust.
    pub instances: String,
    /// One for each worker.
    pub pagers: Vec<Box<dyn Pager>>,
}

/// How many workers serve `concurrency` requests in flight: no more than there are cores, because
/// more would only wait for each other.
pub fn workers_for(concurrency: usize) -> usize {
    concurrency.min(std::thread::available_parallelism().map_or(1, usize::from))
}

impl Plan {
    /// How many requests a whole run measures: the length of a progress bar.
    pub fn total(&self, contenders: usize) -> usize {
        self.mixes.iter().map(|mix| mix.requests.len() * contenders).sum()
    }

    /// Whether the plan can run with these contenders.
    pub(super) fn check(&self, contenders: &[Contender]) -> Result<(), Error> {
        let refuse = |what: String| Err(Error::bad_request(what));
        if contenders.is_empty() || self.mixes.is_empty() {
            return refuse("a benchmark needs at least one strategy and one mix".into());
        }
        if self.workers == 0 || self.workers > self.concurrency {
            let (workers, flight) = (self.workers, self.concurrency);
            return refuse(format!("{workers} workers cannot hold {flight} requests in flight"));
        }
        if self.rounds == 0 {
            return refuse("a benchmark needs at least one round".into());
        }
        let mut mixes = HashSet::new();
        if let Some(mix) = self.mixes.iter().find(|mix| !mixes.insert(&mix.name)) {
            return refuse(format!("the mix {} is named twice", mix.name));
        }
        if let Some(mix) = self.mixes.iter().find(|mix| mix.requests.is_empty()) {
            return refuse(format!("the mix {} has no requests", mix.name));
        }
        let mut names = HashSet::new();
        for Contender { strategy, pagers, .. } in contenders {
            if !names.insert(strategy) {
                return refuse(format!("{strategy} is named twice"));
            }
            if pagers.len() != self.workers {
                let (pagers, workers) = (pagers.len(), self.workers);
                return refuse(format!("{strategy} has {pagers} pagers for {workers} workers"));
            }
        }
        Ok(())
    }
}

/// Cuts `requests` into at most `rounds` slices of nearly the same length, none of them empty.
pub(super) fn slices(requests: usize, rounds: usize) -> impl Iterator<Item = Range<usize>> {
    let rounds = rounds.min(requests);
    (0..rounds).map(move |round| requests * round / rounds..requests * (round + 1) / rounds)
}

/// The contenders' order in a round: rotates, so that no one always goes first.
pub(super) fn order(round: usize, contenders: usize) -> impl Iterator<Item = usize> {
    (0..contenders).map(move |place| (round + place) % contenders)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::bench::fakes::{FakeClock, contender, plan};

    fn refusal(plan: &Plan, contenders: &[Contender]) -> String {
        plan.check(contenders).unwrap_err().to_string()
    }

    #[test]
    fn slices_cover_every_request_once_and_in_order() {
        for (requests, rounds) in [(1, 10), (7, 3), (10, 10), (1_003, 10), (5, 1)] {
            let cut: Vec<_> = slices(requests, rounds).collect();
            assert_eq!(cut.len(), rounds.min(requests));
            assert!(cut.iter().all(|slice| !slice.is_empty()));
            let all: Vec<usize> = cut.into_iter().flatten().collect();
            assert_eq!(all, (0..requests).collect::<Vec<_>>());
        }
    }

    #[test]
    fn each_contender_goes_first_equally_often() {
        let rounds: Vec<Vec<usize>> = (0..3).map(|round| order(round, 3).collect()).collect();
        assert_eq!(rounds, [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
    }

    #[test]
    fn a_plan_that_cannot_run_is_refused_with_its_reason() {
        let clock = FakeClock::new();
        let good = plan(4, 2, 1);
        let two = || vec![contender("a", &clock, 1, 1), contender("b", &clock, 1, 1)];
        assert!(good.check(&two()).is_ok());
        let nothing = "a benchmark needs at least one strategy and one mix";
        assert_eq!(refusal(&good, &[]), nothing);
        assert_eq!(refusal(&Plan { mixes: vec![], ..good.clone() }, &two()), nothing);

        let crowded = Plan { workers: 3, ..good.clone() };
        assert_eq!(refusal(&crowded, &two()), "3 workers cannot hold 2 requests in flight");
        let short = Plan { workers: 2, ..good.clone() };
        assert_eq!(refusal(&short, &two()), "a has 1 pagers for 2 workers");
        let still = Plan { rounds: 0, ..good.clone() };
        assert_eq!(refusal(&still, &two()), "a benchmark needs at least one round");
        let twice = [contender("a", &clock, 1, 1), contender("a", &clock, 1, 1)];
        assert_eq!(refusal(&good, &twice), "a is named twice");
        let doubled = Plan { mixes: [&good.mixes[..], &good.mixes].concat(), ..good.clone() };
        assert_eq!(refusal(&doubled, &two()), "the mix dense is named twice");
        let hollow = Plan { mixes: vec![Mix { name: "none".into(), requests: vec![] }], ..good };
        assert_eq!(refusal(&hollow, &two()), "the mix none has no requests");
    }

    #[test]
    fn the_total_counts_each_request_once_for_each_contender() {
        assert_eq!(plan(4, 2, 1).total(3), 12);
    }
}

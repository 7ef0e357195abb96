//! What is to be measured: requests, rounds, contenders, and in which order they run.

use std::collections::HashSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::load::Load;
use crate::error::Error;
use crate::page::{PageRequest, Pager};

/// Requests of one kind, and how they come.
#[derive(Clone, Debug)]
pub struct Mix {
    /// Its name, unique in a plan: `contract`, `dense`, `dense, workers=1`.
    pub name: String,
    /// What is asked, in order.
    pub requests: Vec<PageRequest>,
    /// Where it stands in a sweep; none where it is measured for itself.
    pub point: Option<Point>,
    /// How its requests come.
    pub load: Load,
    /// Which of the plan's logs it asks.
    pub log: usize,
}

/// A mix's place in a sweep: the same requests but for one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The sweep, unique in a plan: `depth`, `dense by workers`.
    pub sweep: String,
    /// What is varied.
    pub axis: Axis,
    /// Its value here in words: `page 1000`, `no filter`.
    pub label: String,
    /// Its value here, or its place where it is no number.
    pub at: f64,
}

/// What a sweep varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Pages 1, 10, 100 and 1000 at one filter and size.
    Depth,
    /// Deep pages with no filter, of one actor, of one action, of both.
    Filter,
    /// 1, 2, 4… workers that serve the same requests in flight.
    Workers,
    /// 1 to 16 requests in flight.
    Concurrency,
    /// 1 to 500 events a page.
    PageSize,
    /// Events of the log.
    #[value(skip)]
    LogSize,
}

impl Axis {
    /// The axis in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Depth => "page number",
            Self::Filter => "filter",
            Self::Workers => "workers",
            Self::Concurrency => "requests in flight",
            Self::PageSize => "events a page",
            Self::LogSize => "events of the log",
        }
    }
}

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The mixes. Those of one sweep stand together and run interleaved, the others one after another.
    pub mixes: Vec<Mix>,
    /// How many logs the mixes ask.
    pub logs: usize,
    /// Requests that each contender answers before each mix, not counted.
    pub warmup: usize,
    /// Into how many slices a mix is cut; a mix with fewer requests has one slice a request.
    pub rounds: usize,
}

/// Whether a contender runs in the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A WebAssembly component.
    Wasm,
    /// Plain Rust over the same log.
    Native,
    /// No strategy: a part of the work that no strategy can do without, done alone.
    Floor,
}

/// One side of the comparison.
pub struct Contender {
    /// Unique among the contenders: `keyset`, `keyset-warm`, `native-keyset`.
    pub strategy: String,
    /// Sandboxed or not.
    pub kind: Kind,
    /// How its instances live: `fresh`, `warm:N`, or `none` for plain Rust.
    pub instances: String,
    /// SHA-256 of its component; of a native twin, that of what it stands for; empty for a floor.
    pub digest: String,
    /// One crew for each of the plan's logs, with a pager for each worker.
    pub crews: Vec<Vec<Box<dyn Pager>>>,
}

impl Plan {
    /// How many requests a whole run measures: the length of a progress bar.
    pub fn total(&self, contenders: usize) -> usize {
        self.mixes.iter().map(|mix| mix.requests.len() * contenders).sum()
    }

    /// The most workers that a mix needs.
    pub fn workers(&self) -> usize {
        self.mixes.iter().map(|mix| mix.load.workers).max().unwrap_or(0)
    }

    /// The mixes in groups that run interleaved: each sweep, and each mix that stands for itself.
    pub(super) fn groups(&self) -> Vec<&[Mix]> {
        let sweep = |mix: &Mix| mix.point.as_ref().map(|point| point.sweep.clone());
        self.mixes.chunk_by(|one, next| sweep(one).is_some() && sweep(one) == sweep(next)).collect()
    }

    /// Whether the plan can run with these contenders.
    pub(super) fn check(&self, contenders: &[Contender]) -> Result<(), Error> {
        let refuse = |what: String| Err(Error::bad_request(what));
        if contenders.is_empty() || self.mixes.is_empty() {
            return refuse("a benchmark needs at least one strategy and one mix".into());
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
        for mix in &self.mixes {
            if let Some(fault) = mix.load.fault() {
                return refuse(fault);
            }
            if mix.log >= self.logs {
                return refuse(format!("the mix {} asks a log that there is not", mix.name));
            }
        }
        let workers = self.workers();
        let mut names = HashSet::new();
        for Contender { strategy, crews, .. } in contenders {
            if !names.insert(strategy) {
                return refuse(format!("{strategy} is named twice"));
            }
            if crews.len() != self.logs {
                return refuse(format!("{strategy} has {} crews for {} logs", crews.len(), self.logs));
            }
            if let Some(crew) = crews.iter().find(|crew| crew.len() < workers) {
                let pagers = crew.len();
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

        let under = |load| {
            let mixes = good.mixes.iter().map(|mix| Mix { load, ..mix.clone() }).collect();
            Plan { mixes, ..good.clone() }
        };
        let crowded = under(Load { concurrency: 2, workers: 3, rate: None });
        assert_eq!(refusal(&crowded, &two()), "3 workers cannot hold 2 requests in flight");
        let short = under(Load { concurrency: 2, workers: 2, rate: None });
        assert_eq!(refusal(&short, &two()), "a has 1 pagers for 2 workers");
        let racing = under(Load { concurrency: 2, workers: 1, rate: Some(f64::NAN) });
        assert!(refusal(&racing, &two()).starts_with("a rate of NaN requests per second cannot be kept"));
        assert_eq!(refusal(&Plan { logs: 2, ..good.clone() }, &two()), "a has 1 crews for 2 logs");
        let elsewhere = Plan { logs: 0, ..good.clone() };
        assert_eq!(refusal(&elsewhere, &two()), "the mix dense asks a log that there is not");
        let still = Plan { rounds: 0, ..good.clone() };
        assert_eq!(refusal(&still, &two()), "a benchmark needs at least one round");
        let twice = [contender("a", &clock, 1, 1), contender("a", &clock, 1, 1)];
        assert_eq!(refusal(&good, &twice), "a is named twice");
        let doubled = Plan { mixes: [&good.mixes[..], &good.mixes].concat(), ..good.clone() };
        assert_eq!(refusal(&doubled, &two()), "the mix dense is named twice");
        let none = Mix { name: "none".into(), requests: vec![], ..good.mixes[0].clone() };
        let hollow = Plan { mixes: vec![none], ..good };
        assert_eq!(refusal(&hollow, &two()), "the mix none has no requests");
    }

    #[test]
    fn the_mixes_of_one_sweep_run_together_and_all_others_alone() {
        let whole = plan(1, 1, 1);
        let mix = |name: &str, sweep: Option<&str>| Mix {
            name: name.into(),
            point: sweep.map(|sweep| Point {
                sweep: sweep.into(),
                axis: Axis::Depth,
                label: name.into(),
                at: 1.0,
            }),
            ..whole.mixes[0].clone()
        };
        let mixes = vec![
            mix("a", None),
            mix("b", None),
            mix("c", Some("x")),
            mix("d", Some("x")),
            mix("e", Some("y")),
            mix("f", None),
        ];
        let plan = Plan { mixes, ..whole.clone() };
        let groups: Vec<Vec<&str>> =
            plan.groups().iter().map(|group| group.iter().map(|mix| mix.name.as_str()).collect()).collect();
        assert_eq!(groups, [vec!["a"], vec!["b"], vec!["c", "d"], vec!["e"], vec!["f"]]);
    }

    #[test]
    fn the_total_counts_each_request_once_for_each_contender() {
        assert_eq!(plan(4, 2, 1).total(3), 12);
    }
}

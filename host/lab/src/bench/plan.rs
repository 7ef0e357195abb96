//! What is to be measured: requests, how they come, rounds, and in which order the targets run.

use std::collections::HashSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use keyhole_log::error::Error;
use keyhole_log::model::PageRequest;

/// Requests of one kind, and how they come.
#[derive(Clone, Debug)]
pub(super) struct Mix {
    /// Unique in a plan: `contract`, `dense`, `dense, workers=1`.
    pub(super) name: String,
    /// What is asked, in order.
    pub(super) requests: Vec<PageRequest>,
    /// Where the mix stands in a sweep; none where it is measured for itself.
    pub(super) point: Option<Point>,
    pub(super) load: Load,
    /// Which of the plan's logs it asks.
    pub(super) log: usize,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// How the requests of a mix come, and how many workers serve them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Closed loop: requests in flight. With a rate it has no say.
    pub concurrency: usize,
    /// Threads that answer requests.
    pub workers: usize,
    /// Open loop: requests per second, sent whether or not earlier ones were answered. None: closed.
    pub rate: Option<f64>,
}

const MIN_RATE: f64 = 0.01;
const MAX_RATE: f64 = 10_000_000.0;

/// How many workers serve `concurrency` requests in flight: no more than there are cores, because
/// more would only wait for each other.
pub(super) fn workers_for(concurrency: usize) -> usize {
    concurrency.min(std::thread::available_parallelism().map_or(1, usize::from))
}

impl Load {
    /// A closed loop with as many requests in flight.
    pub(super) fn closed(concurrency: usize) -> Self {
        Self { concurrency, workers: workers_for(concurrency), rate: None }
    }

    /// Why no run can make this load.
    fn fault(&self) -> Option<String> {
        let Self { concurrency, workers, rate } = *self;
        match rate {
            // A rate that is not a number is in no range.
            Some(rate) if !(MIN_RATE..=MAX_RATE).contains(&rate) => Some(format!(
                "a rate of {rate} requests per second cannot be kept: take {MIN_RATE} to {MAX_RATE}"
            )),
            Some(_) if workers == 0 => Some("an open loop needs at least one worker".into()),
            None if workers == 0 || workers > concurrency => Some(format!(
                "{workers} workers cannot hold {concurrency} requests in flight: take more of those, or fewer workers"
            )),
            _ => None,
        }
    }

    /// The load in words: `4 in flight on 2 workers`, `open loop, 500 a second on 2 workers`.
    pub fn words(&self) -> String {
        let Self { concurrency, workers, rate } = *self;
        let on = if workers == 1 { "1 worker".to_owned() } else { format!("{workers} workers") };
        match rate {
            Some(rate) => format!("open loop, {rate} a second on {on}"),
            None => format!("{concurrency} in flight on {on}"),
        }
    }
}

/// What to run, and how.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Those of one sweep stand together and run interleaved, the others one after another.
    pub(super) mixes: Vec<Mix>,
    /// How many logs the mixes ask.
    pub(super) logs: usize,
    /// Requests that each target answers before each mix, not counted.
    pub(super) warmup: usize,
    /// Into how many batches a mix is cut; a mix with fewer requests has one batch a request.
    pub(super) rounds: usize,
}

impl Plan {
    /// How many requests a whole run measures: the length of a progress bar.
    pub(super) fn total(&self, targets: usize) -> usize {
        self.mixes.iter().map(|mix| mix.requests.len() * targets).sum()
    }

    /// The most workers that a mix needs.
    pub(super) fn workers(&self) -> usize {
        self.mixes.iter().map(|mix| mix.load.workers).max().unwrap_or(0)
    }

    /// The mixes in groups that run interleaved: each sweep, and each mix that stands for itself.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[Mix]> {
        let sweep = |mix: &Mix| mix.point.as_ref().map(|point| point.sweep.clone());
        self.mixes.chunk_by(move |one, next| sweep(one).is_some() && sweep(one) == sweep(next))
    }

    /// Whether the plan can run with these targets: the name of each, and of each of its crews how many pagers it has.
    pub(super) fn check(&self, targets: &[(&str, Vec<usize>)]) -> Result<(), Error> {
        let refuse = |what: String| Err(Error::bad_request(what));
        if targets.is_empty() || self.mixes.is_empty() {
            return refuse("a benchmark needs at least one strategy and one mix".into());
        }
        if self.rounds == 0 {
            return refuse("a benchmark needs at least one round".into());
        }
        let mut names = HashSet::new();
        for Mix { name, requests, load, log, .. } in &self.mixes {
            if !names.insert(name) {
                return refuse(format!("the mix {name} is named twice"));
            }
            if requests.is_empty() {
                return refuse(format!("the mix {name} has no requests"));
            }
            if let Some(fault) = load.fault() {
                return refuse(fault);
            }
            if *log >= self.logs {
                return refuse(format!("the mix {name} asks a log that there is not"));
            }
        }
        let workers = self.workers();
        let mut names = HashSet::new();
        for (strategy, crews) in targets {
            if !names.insert(strategy) {
                return refuse(format!("{strategy} is named twice"));
            }
            if crews.len() != self.logs {
                return refuse(format!("{strategy} has {} crews for {} logs", crews.len(), self.logs));
            }
            if let Some(crew) = crews.iter().find(|crew| **crew < workers) {
                return refuse(format!("{strategy} has {crew} pagers for {workers} workers"));
            }
        }
        Ok(())
    }
}

/// Cuts `requests` into at most `rounds` batches of nearly the same length, none of them empty.
pub(super) fn batches(requests: usize, rounds: usize) -> impl Iterator<Item = Range<usize>> {
    let rounds = rounds.min(requests);
    (0..rounds).map(move |round| requests * round / rounds..requests * (round + 1) / rounds)
}

/// The order in a round: rotates, so that no one always goes first.
pub(super) fn order(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |place| (round + place) % count)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::bench::fakes::plan;

    #[test]
    fn batches_cover_every_request_once_and_in_order() {
        for (requests, rounds) in [(1, 10), (7, 3), (10, 10), (1_003, 10), (5, 1)] {
            let cut: Vec<_> = batches(requests, rounds).collect();
            assert_eq!(cut.len(), rounds.min(requests));
            assert!(cut.iter().all(|batch| !batch.is_empty()));
            assert!(cut.into_iter().flatten().eq(0..requests));
        }
    }

    #[test]
    fn each_target_goes_first_equally_often() {
        let rounds: Vec<Vec<usize>> = (0..3).map(|round| order(round, 3).collect()).collect();
        assert_eq!(rounds, [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
    }

    #[test]
    fn a_plan_that_cannot_run_is_refused_with_its_reason() {
        let two = &[("a", vec![1]), ("b", vec![1])][..];
        let twice = &[("a", vec![1]), ("a", vec![1])][..];
        let good = plan(4, 2, 1);
        assert!(good.check(two).is_ok());
        let with = |change: &dyn Fn(&mut Plan)| {
            let mut plan = good.clone();
            change(&mut plan);
            plan
        };
        let under = |concurrency, workers, rate| {
            with(&|plan| plan.mixes[0].load = Load { concurrency, workers, rate })
        };
        let nothing = "a benchmark needs at least one strategy and one mix";
        for (plan, targets, why) in [
            (good.clone(), &[][..], nothing),
            (with(&|plan| plan.mixes.clear()), two, nothing),
            (with(&|plan| plan.rounds = 0), two, "a benchmark needs at least one round"),
            (with(&|plan| plan.mixes.extend(good.mixes.clone())), two, "the mix dense is named twice"),
            (with(&|plan| plan.mixes[0].requests.clear()), two, "the mix dense has no requests"),
            (with(&|plan| plan.logs = 0), two, "the mix dense asks a log that there is not"),
            (with(&|plan| plan.logs = 2), two, "a has 1 crews for 2 logs"),
            (good.clone(), twice, "a is named twice"),
            (under(2, 2, None), two, "a has 1 pagers for 2 workers"),
            (
                under(2, 3, None),
                two,
                "3 workers cannot hold 2 requests in flight: take more of those, or fewer workers",
            ),
            (
                under(2, 0, None),
                two,
                "0 workers cannot hold 2 requests in flight: take more of those, or fewer workers",
            ),
            (under(2, 0, Some(1.0)), two, "an open loop needs at least one worker"),
        ] {
            assert_eq!(plan.check(targets).unwrap_err().to_string(), why);
        }
        assert!(under(0, 1, Some(100.0)).check(two).is_ok(), "with a rate the concurrency has no say");
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            let why = under(2, 1, Some(rate)).check(two).unwrap_err().to_string();
            assert!(
                why.starts_with(&format!("a rate of {rate} requests per second cannot be kept")),
                "{why}"
            );
        }
    }

    #[test]
    fn a_load_reads_as_it_is() {
        let load = |workers, rate| Load { concurrency: 4, workers, rate }.words();
        assert_eq!(load(2, None), "4 in flight on 2 workers");
        assert_eq!(load(1, None), "4 in flight on 1 worker");
        assert_eq!(load(2, Some(500.0)), "open loop, 500 a second on 2 workers");
    }

    #[test]
    fn the_mixes_of_one_sweep_run_together_and_all_others_alone() {
        let whole = plan(1, 1, 1);
        let mix = |(name, sweep): (&str, Option<&str>)| {
            let point =
                |sweep: &str| Point { sweep: sweep.into(), axis: Axis::Depth, label: name.into(), at: 1.0 };
            Mix { name: name.into(), point: sweep.map(point), ..whole.mixes[0].clone() }
        };
        let all =
            [("a", None), ("b", None), ("c", Some("x")), ("d", Some("x")), ("e", Some("y")), ("f", None)];
        let plan = Plan { mixes: all.map(mix).to_vec(), ..whole.clone() };
        let names = |group: &[Mix]| group.iter().map(|mix| mix.name.clone()).collect::<String>();
        assert_eq!(plan.groups().map(names).collect::<Vec<_>>(), ["a", "b", "cd", "e", "f"]);
        assert_eq!(plan.total(3), 18, "each request once for each target");
    }
}

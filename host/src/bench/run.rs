//! Runs a plan: rounds interleaved, answers compared, times kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::clock::Clock;
use super::closed_loop::{ClosedLoop, Desk, Render, Slice, Stop};
use super::failure::{Failure, Place};
use super::plan::{Contender, Kind, Mix, Plan, order, slices};
use super::tally::{Tally, nanos};
use crate::error::Error;

/// Unmeasured requests of each worker before a slice: at most this many, and at most a tenth of
/// the slice, so that a slow contender does not spend its time on them.
const LEAD_IN: usize = 8;

/// What was measured on one mix.
#[derive(Clone, Debug)]
pub struct MixRun {
    /// The mix.
    pub mix: String,
    /// How many requests each contender answered.
    pub requests: usize,
    /// How many of the pages held events; the same for all.
    pub non_empty: u64,
    /// In the plan's order of contenders.
    pub outcomes: Vec<Outcome>,
}

/// What was measured of one contender on one mix.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The contender.
    pub strategy: String,
    /// Sandboxed or not.
    pub kind: Kind,
    /// How its instances live.
    pub instances: String,
    /// Requests in flight.
    pub concurrency: usize,
    /// All requests' times.
    pub tally: Tally,
    /// In order.
    pub rounds: Vec<Round>,
}

/// One contender's slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// How many requests.
    pub requests: usize,
    /// From the first one's entry to the last answer.
    pub wall: Duration,
    /// Median service time in nanoseconds.
    pub p50: u64,
}

impl Round {
    /// Requests per second.
    pub fn rps(&self) -> f64 {
        per_second(self.requests, self.wall)
    }
}

impl Outcome {
    /// Requests per second over all rounds.
    pub fn rps(&self) -> f64 {
        let requests = self.rounds.iter().map(|round| round.requests).sum();
        per_second(requests, self.rounds.iter().map(|round| round.wall).sum())
    }
}

fn per_second(requests: usize, wall: Duration) -> f64 {
    // At least one nanosecond: a rate is always a number.
    float(requests as u64) * 1e9 / float(nanos(wall).max(1))
}

#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds stay far below 2^53")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

/// Runs the whole plan. `progress` hears how many measured requests are done, out of
/// [`Plan::total`], between slices and a few times a second within them; its error ends the run.
pub fn run(
    plan: &Plan,
    contenders: &mut [Contender],
    render: Render<'_>,
    clock: &dyn Clock,
    progress: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<Vec<MixRun>, Failure> {
    plan.check(contenders)?;
    let mut runner = Runner {
        plan,
        workers: ClosedLoop { concurrency: plan.concurrency, render, clock },
        desks: (0..plan.workers).map(|_| Desk::new()).collect::<Result<_, _>>()?,
        done: 0,
        progress,
    };
    plan.mixes.iter().map(|mix| runner.mix(mix, contenders)).collect()
}

struct Runner<'a> {
    plan: &'a Plan,
    workers: ClosedLoop<'a>,
    desks: Vec<Desk>,
    done: u64,
    progress: &'a mut dyn FnMut(u64) -> Result<(), Error>,
}

impl Runner<'_> {
    fn mix(&mut self, mix: &Mix, contenders: &mut [Contender]) -> Result<MixRun, Failure> {
        let requests = mix.requests.len();
        let digests: Vec<Vec<AtomicU64>> =
            contenders.iter().map(|_| (0..requests).map(|_| AtomicU64::new(0)).collect()).collect();
        let mut outcomes =
            contenders.iter().map(|contender| self.outcome(contender)).collect::<Result<Vec<_>, _>>()?;

        for contender in &mut *contenders {
            self.warm_up(mix, contender)?;
        }
        for (round, range) in slices(requests, self.plan.rounds).enumerate() {
            for at in order(round, contenders.len()) {
                let slice = Slice {
                    requests: &mix.requests,
                    start: range.start,
                    len: range.len(),
                    lead_in: LEAD_IN.min(range.len() / 10),
                    digests: &digests[at],
                };
                let wall = self.answer(mix, &slice, &mut contenders[at])?;
                self.keep(&mut outcomes[at], range.len(), wall)?;
                self.done += range.len() as u64;
                (self.progress)(self.done)?;
            }
            for place in range {
                compare(mix, place, contenders, &digests)?;
            }
        }
        let non_empty = outcomes.first().map_or(0, |first| first.tally.non_empty);
        Ok(MixRun { mix: mix.name.clone(), requests, non_empty, outcomes })
    }

    fn outcome(&self, contender: &Contender) -> Result<Outcome, Error> {
        Ok(Outcome {
            strategy: contender.strategy.clone(),
            kind: contender.kind,
            instances: contender.instances.clone(),
            concurrency: self.plan.concurrency,
            tally: Tally::new()?,
            rounds: Vec::new(),
        })
    }

    /// Answers the last requests of the mix, so that the first measured ones are not repeats.
    fn warm_up(&mut self, mix: &Mix, contender: &mut Contender) -> Result<(), Failure> {
        let (len, requests) = (self.plan.warmup, mix.requests.len());
        if len == 0 {
            return Ok(());
        }
        let start = (requests - len % requests) % requests;
        let slice = Slice { requests: &mix.requests, start, len, lead_in: 0, digests: &[] };
        self.answer(mix, &slice, contender)?;
        (self.progress)(self.done)?;
        Ok(())
    }

    fn answer(
        &mut self,
        mix: &Mix,
        slice: &Slice<'_>,
        contender: &mut Contender,
    ) -> Result<Duration, Failure> {
        let measured = !slice.digests.is_empty();
        let done = self.done;
        let mut watch = |taken: usize| (self.progress)(done + if measured { taken as u64 } else { 0 });
        self.workers.run(slice, &mut contender.pagers, &mut self.desks, &mut watch).map_err(|stop| match stop
        {
            Stop::Other(error) => Failure::Stopped(error),
            // Ctrl-C reaches a pager too: no fault of the contender's.
            Stop::Pager(_, Error::Interrupted) => Failure::Stopped(Error::Interrupted),
            Stop::Pager(index, source) => Failure::Broke {
                strategy: contender.strategy.clone(),
                at: Box::new(Place::new(mix, index)),
                source,
            },
        })
    }

    fn keep(&self, outcome: &mut Outcome, requests: usize, wall: Duration) -> Result<(), Error> {
        let mut slice = Tally::new()?;
        for desk in &self.desks {
            slice.add(&desk.tally)?;
        }
        outcome.rounds.push(Round { requests, wall, p50: slice.service.value_at_quantile(0.5) });
        outcome.tally.add(&slice)
    }
}

/// Holds every contender's answer against the first one's.
fn compare(
    mix: &Mix,
    place: usize,
    contenders: &[Contender],
    digests: &[Vec<AtomicU64>],
) -> Result<(), Failure> {
    let answers = digests.iter().map(|of| of[place].load(Ordering::Relaxed));
    let mut sides = contenders.iter().zip(answers);
    let Some((first, expected)) = sides.next() else { return Ok(()) };
    match sides.find(|(_, answer)| *answer != expected) {
        None => Ok(()),
        Some((second, _)) => Err(Failure::Differs {
            first: first.strategy.clone(),
            second: second.strategy.clone(),
            at: Box::new(Place::new(mix, place)),
        }),
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;

//! Runs a plan: rounds interleaved, answers compared, times kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::clock::Clock;
use super::failure::{Failure, Place};
use super::load::Load;
use super::phases::{PhaseTimes, Phases};
use super::plan::{Contender, Kind, Mix, Plan, Point, order, slices};
use super::slice::{Desk, Ran, Render, Slice, Stop, Workers};
use super::tally::{Counts, Tally, nanos};
use crate::error::Error;

/// Unmeasured requests of each worker before a slice: at most this many, and at most a tenth of
/// the slice, so that a slow contender does not spend its time on them.
const LEAD_IN: usize = 8;

/// What was measured on one mix.
#[derive(Clone, Debug)]
pub struct MixRun {
    /// The mix.
    pub mix: String,
    /// Where it stands in a sweep.
    pub point: Option<Point>,
    /// How its requests came.
    pub load: Load,
    /// Which of the plan's logs it asked.
    pub log: usize,
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
    /// All requests' times.
    pub tally: Tally,
    /// In order.
    pub rounds: Vec<Round>,
}

/// One contender's slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// How many requests.
    pub requests: usize,
    /// When it began, on the run's clock.
    pub started: Duration,
    /// From the first one's entry to the last answer.
    pub wall: Duration,
    /// Median service time in nanoseconds.
    pub p50: u64,
    /// The 99th percentile of the same.
    pub p99: u64,
    /// All its service times.
    pub service: Counts,
    /// What clients saw.
    pub latency: Counts,
    /// Where its time went.
    pub phases: Phases,
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

    /// One page's time in each phase: the median over rounds of the rounds' means.
    pub fn phases(&self) -> PhaseTimes {
        let means: Vec<PhaseTimes> =
            self.rounds.iter().map(|round| round.phases.mean(round.requests)).collect();
        PhaseTimes::median(&means)
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
        render,
        clock,
        desks: (0..plan.workers()).map(|_| Desk::new()).collect::<Result<_, _>>()?,
        done: 0,
        progress,
    };
    let mut runs = Vec::with_capacity(plan.mixes.len());
    for group in plan.groups() {
        runs.extend(runner.group(group, contenders)?);
    }
    Ok(runs)
}

struct Runner<'a> {
    plan: &'a Plan,
    render: Render<'a>,
    clock: &'a dyn Clock,
    desks: Vec<Desk>,
    done: u64,
    progress: &'a mut dyn FnMut(u64) -> Result<(), Error>,
}

/// A mix while it is measured.
struct Open<'a> {
    mix: &'a Mix,
    slices: Vec<std::ops::Range<usize>>,
    /// Each contender's answers.
    digests: Vec<Vec<AtomicU64>>,
    outcomes: Vec<Outcome>,
}

impl Runner<'_> {
    /// Measures mixes with their rounds interleaved, and the contenders' rounds within each.
    fn group(&mut self, mixes: &[Mix], contenders: &mut [Contender]) -> Result<Vec<MixRun>, Failure> {
        let mut open = mixes.iter().map(|mix| self.open(mix, contenders)).collect::<Result<Vec<_>, _>>()?;
        for mix in mixes {
            for contender in &mut *contenders {
                self.warm_up(mix, contender)?;
            }
        }
        for round in 0..self.plan.rounds {
            for turn in order(round, open.len()) {
                if let Some(open) = open.get_mut(turn) {
                    self.round(round, open, contenders)?;
                }
            }
        }
        Ok(open.into_iter().map(Open::close).collect())
    }

    fn open<'m>(&self, mix: &'m Mix, contenders: &[Contender]) -> Result<Open<'m>, Error> {
        let requests = mix.requests.len();
        let outcome = |contender: &Contender| {
            Ok(Outcome {
                strategy: contender.strategy.clone(),
                kind: contender.kind,
                instances: contender.instances.clone(),
                tally: Tally::new()?,
                rounds: Vec::new(),
            })
        };
        Ok(Open {
            mix,
            slices: slices(requests, self.plan.rounds).collect(),
            digests: contenders.iter().map(|_| (0..requests).map(|_| AtomicU64::new(0)).collect()).collect(),
            outcomes: contenders.iter().map(outcome).collect::<Result<_, Error>>()?,
        })
    }

    /// One slice of the mix by every contender, and their answers compared.
    fn round(
        &mut self,
        round: usize,
        open: &mut Open<'_>,
        contenders: &mut [Contender],
    ) -> Result<(), Failure> {
        let Some(range) = open.slices.get(round).cloned() else { return Ok(()) };
        for at in order(round, contenders.len()) {
            let slice = Slice {
                requests: &open.mix.requests,
                start: range.start,
                len: range.len(),
                lead_in: LEAD_IN.min(range.len() / 10),
                digests: &open.digests[at],
            };
            let ran = self.answer(open.mix, open.mix.load, &slice, &mut contenders[at])?;
            self.keep(&mut open.outcomes[at], range.len(), open.mix.load.workers, ran)?;
            self.done += range.len() as u64;
            (self.progress)(self.done)?;
        }
        for place in range {
            compare(open.mix, place, contenders, &open.digests)?;
        }
        Ok(())
    }

    /// Answers the last requests of the mix, so that the first measured ones are not repeats.
    fn warm_up(&mut self, mix: &Mix, contender: &mut Contender) -> Result<(), Failure> {
        let (len, requests) = (self.plan.warmup, mix.requests.len());
        if len == 0 {
            return Ok(());
        }
        let start = (requests - len % requests) % requests;
        let slice = Slice { requests: &mix.requests, start, len, lead_in: 0, digests: &[] };
        // As fast as it goes: a rate is for what is measured.
        let concurrency = mix.load.concurrency.max(mix.load.workers);
        let load = Load { concurrency, rate: None, ..mix.load };
        self.answer(mix, load, &slice, contender)?;
        (self.progress)(self.done)?;
        Ok(())
    }

    fn answer(
        &mut self,
        mix: &Mix,
        load: Load,
        slice: &Slice<'_>,
        contender: &mut Contender,
    ) -> Result<Ran, Failure> {
        let measured = !slice.digests.is_empty();
        let done = self.done;
        let progress = &mut self.progress;
        let mut watch = |taken: usize| progress(done + if measured { taken as u64 } else { 0 });
        let render = (contender.kind != Kind::Floor).then_some(self.render);
        let workers = Workers { load, render, clock: self.clock };
        let crew = contender.crews.get_mut(mix.log).and_then(|crew| crew.get_mut(..load.workers));
        let desks = self.desks.get_mut(..load.workers);
        let (Some(crew), Some(desks)) = (crew, desks) else {
            let what = format!("{} has no crew for the mix {}", contender.strategy, mix.name);
            return Err(Failure::Stopped(Error::Engine(what)));
        };
        workers.run(slice, crew, desks, &mut watch).map_err(|stop| match stop {
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

    fn keep(&self, outcome: &mut Outcome, requests: usize, workers: usize, ran: Ran) -> Result<(), Error> {
        let mut slice = Tally::new()?;
        for desk in self.desks.iter().take(workers) {
            slice.add(&desk.tally)?;
        }
        outcome.rounds.push(Round {
            requests,
            started: ran.started,
            wall: ran.wall,
            p50: slice.service.value_at_quantile(0.5),
            p99: slice.service.value_at_quantile(0.99),
            service: Counts::of(&slice.service),
            latency: Counts::of(&slice.latency),
            phases: slice.phases,
        });
        outcome.tally.add(&slice)
    }
}

impl Open<'_> {
    fn close(self) -> MixRun {
        // A floor answers nothing.
        let real = self.outcomes.iter().find(|outcome| outcome.kind != Kind::Floor);
        MixRun {
            mix: self.mix.name.clone(),
            point: self.mix.point.clone(),
            load: self.mix.load,
            log: self.mix.log,
            requests: self.mix.requests.len(),
            non_empty: real.map_or(0, |real| real.tally.non_empty),
            outcomes: self.outcomes,
        }
    }
}

/// Holds every contender's answer against the first one's; a floor has none.
fn compare(
    mix: &Mix,
    place: usize,
    contenders: &[Contender],
    digests: &[Vec<AtomicU64>],
) -> Result<(), Failure> {
    let answers = digests.iter().map(|of| of[place].load(Ordering::Relaxed));
    let mut sides = contenders.iter().zip(answers).filter(|(side, _)| side.kind != Kind::Floor);
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

//! Runs a plan: rounds interleaved, answers compared, times kept.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::batch::{Batch, Ran, Render, Stop, WorkerState, Workers};
use super::clock::Clock;
use super::histogram::{Counts, Histograms};
use super::phases::{PhaseTimes, Phases};
use super::plan::{Load, Mix, Plan, batches, order};
use super::target::{Kind, Target};
use keyhole_log::error::Error;
use keyhole_log::units::{float, whole_nanos};

/// Unmeasured requests of each worker before a batch: at most this many, and at most a tenth of
/// the batch, so that a slow target does not spend its time on them.
const LEAD_IN: usize = 8;

/// What was measured on one mix.
#[derive(Clone, Debug)]
pub(super) struct MixRun<'a> {
    pub(super) mix: &'a Mix,
    /// In the plan's order of targets.
    pub(super) outcomes: Vec<Outcome>,
}

/// What was measured of one target on one mix.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) strategy: String,
    pub(super) kind: Kind,
    pub(super) instances: String,
    /// All requests' times.
    pub(super) times: Histograms,
    /// In order.
    pub(super) rounds: Vec<Round>,
}

/// One target's batch of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// How many requests.
    pub(super) requests: usize,
    /// When it began, on the run's clock.
    pub(super) started: Duration,
    /// From the first one's entry to the last answer.
    pub(super) wall: Duration,
    /// Median service time in nanoseconds.
    pub(super) p50: u64,
    /// The 99th percentile of the same.
    pub(super) p99: u64,
    /// All its service times.
    pub(super) service: Counts,
    /// What clients saw.
    pub(super) latency: Counts,
    /// Where its time went.
    pub(super) phases: Phases,
}

impl Round {
    /// Requests per second.
    pub(super) fn rps(&self) -> f64 {
        per_second(self.requests, self.wall)
    }
}

impl Outcome {
    /// Requests per second over all rounds.
    pub(super) fn rps(&self) -> f64 {
        let requests = self.rounds.iter().map(|round| round.requests).sum();
        per_second(requests, self.rounds.iter().map(|round| round.wall).sum())
    }

    /// One page's time in each phase: the median over rounds of the rounds' means.
    pub(super) fn phases(&self) -> PhaseTimes {
        let means: Vec<PhaseTimes> =
            self.rounds.iter().map(|round| round.phases.mean(round.requests)).collect();
        PhaseTimes::median(&means)
    }
}

fn per_second(requests: usize, wall: Duration) -> f64 {
    // At least one nanosecond: a rate is always a number.
    float(requests as u64) * 1e9 / float(whole_nanos(wall).max(1))
}

/// Runs the whole plan. `progress` hears how many measured requests are done, out of
/// [`Plan::total`], between batches and a few times a second within them; its error ends the run.
pub(super) fn run<'p>(
    plan: &'p Plan,
    targets: &mut [Target],
    render: Render<'_>,
    clock: &dyn Clock,
    progress: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<Vec<MixRun<'p>>, Error> {
    let crews: Vec<_> = targets.iter().map(Target::crew_sizes).collect();
    plan.check(&crews)?;
    let states = (0..plan.workers()).map(|_| WorkerState::new()).collect::<Result<_, _>>()?;
    let mut runner = Runner { plan, render, clock, states, done: 0, progress };
    let mut runs = Vec::with_capacity(plan.mixes.len());
    for group in plan.groups() {
        runs.extend(runner.group(group, targets)?);
    }
    Ok(runs)
}

struct Runner<'a> {
    plan: &'a Plan,
    render: Render<'a>,
    clock: &'a dyn Clock,
    states: Vec<WorkerState>,
    done: u64,
    progress: &'a mut dyn FnMut(u64) -> Result<(), Error>,
}

/// A mix while it is measured.
struct Measuring<'m> {
    run: MixRun<'m>,
    batches: Vec<Range<usize>>,
    /// Each target's answers.
    digests: Vec<Vec<AtomicU64>>,
}

impl<'m> Measuring<'m> {
    fn begin(mix: &'m Mix, rounds: usize, targets: &[Target]) -> Result<Self, Error> {
        let requests = mix.requests.len();
        let outcome = |target: &Target| {
            Ok(Outcome {
                strategy: target.strategy.clone(),
                kind: target.kind,
                instances: target.instances.clone(),
                times: Histograms::new()?,
                rounds: Vec::new(),
            })
        };
        Ok(Self {
            run: MixRun { mix, outcomes: targets.iter().map(outcome).collect::<Result<_, Error>>()? },
            batches: batches(requests, rounds).collect(),
            digests: targets.iter().map(|_| (0..requests).map(|_| AtomicU64::new(0)).collect()).collect(),
        })
    }

    /// Holds every target's answer against the first one's; a floor has none.
    fn compare(&self, place: usize, targets: &[Target]) -> Result<(), Error> {
        let answers = self.digests.iter().map(|of| of[place].load(Ordering::Relaxed));
        let mut sides = targets.iter().zip(answers).filter(|(side, _)| side.kind != Kind::Floor);
        let Some((first, expected)) = sides.next() else { return Ok(()) };
        match sides.find(|(_, answer)| *answer != expected) {
            None => Ok(()),
            Some((second, _)) => {
                let (first, second) = (&first.strategy, &second.strategy);
                let at = request(self.run.mix, place);
                Err(Error::Differs { what: format!("{first} and {second} differ at {at}") })
            }
        }
    }
}

impl Runner<'_> {
    /// Measures mixes with their rounds interleaved, and the targets' rounds within each.
    fn group<'m>(&mut self, mixes: &'m [Mix], targets: &mut [Target]) -> Result<Vec<MixRun<'m>>, Error> {
        let rounds = self.plan.rounds;
        let mut all: Vec<Measuring<'m>> =
            mixes.iter().map(|mix| Measuring::begin(mix, rounds, targets)).collect::<Result<_, _>>()?;
        for mix in mixes {
            for target in &mut *targets {
                self.warm_up(mix, target)?;
            }
        }
        for round in 0..rounds {
            for turn in order(round, all.len()) {
                self.round(round, &mut all[turn], targets)?;
            }
        }
        Ok(all.into_iter().map(|measuring| measuring.run).collect())
    }

    /// One batch of the mix by every target, and their answers compared.
    fn round(&mut self, round: usize, of: &mut Measuring<'_>, targets: &mut [Target]) -> Result<(), Error> {
        let Some(range) = of.batches.get(round).cloned() else { return Ok(()) };
        let mix = of.run.mix;
        for at in order(round, targets.len()) {
            let batch = Batch {
                requests: &mix.requests,
                start: range.start,
                len: range.len(),
                lead_in: LEAD_IN.min(range.len() / 10),
                digests: &of.digests[at],
            };
            let ran = self.answer(mix, mix.load, &batch, &mut targets[at])?;
            self.record(&mut of.run.outcomes[at], range.len(), mix.load.workers, ran)?;
            self.done += range.len() as u64;
            (self.progress)(self.done)?;
        }
        range.into_iter().try_for_each(|place| of.compare(place, targets))
    }

    /// Answers the last requests of the mix, so that the first measured ones are not repeats.
    fn warm_up(&mut self, mix: &Mix, target: &mut Target) -> Result<(), Error> {
        let (len, requests) = (self.plan.warmup, mix.requests.len());
        if len == 0 {
            return Ok(());
        }
        let start = (requests - len % requests) % requests;
        let batch = Batch { requests: &mix.requests, start, len, lead_in: 0, digests: &[] };
        // As fast as it goes: a rate is for what is measured.
        let concurrency = mix.load.concurrency.max(mix.load.workers);
        let load = Load { concurrency, rate: None, ..mix.load };
        self.answer(mix, load, &batch, target)?;
        (self.progress)(self.done)
    }

    fn answer(
        &mut self,
        mix: &Mix,
        load: Load,
        batch: &Batch<'_>,
        target: &mut Target,
    ) -> Result<Ran, Error> {
        let measured = !batch.digests.is_empty();
        let done = self.done;
        let progress = &mut self.progress;
        let mut watch = |taken: usize| progress(done + if measured { taken as u64 } else { 0 });
        let render = (target.kind != Kind::Floor).then_some(self.render);
        let workers = Workers { load, render, clock: self.clock };
        // The plan was checked: every crew has a pager for each worker.
        let crew = &mut target.crews[mix.log][..load.workers];
        let states = &mut self.states[..load.workers];
        workers.run(batch, crew, states, &mut watch).map_err(|stop| match stop {
            // Ctrl-C reaches a pager too: no fault of the target's.
            Stop::Other(error) | Stop::Pager(_, error @ Error::Interrupted) => error,
            Stop::Pager(index, source) => {
                source.during(format!("{} failed at {}", target.strategy, request(mix, index)))
            }
        })
    }

    fn record(&self, outcome: &mut Outcome, requests: usize, workers: usize, ran: Ran) -> Result<(), Error> {
        let mut batch = Histograms::new()?;
        for state in self.states.iter().take(workers) {
            batch.add(&state.times)?;
        }
        outcome.rounds.push(Round {
            requests,
            started: ran.started,
            wall: ran.wall,
            p50: batch.service.value_at_quantile(0.5),
            p99: batch.service.value_at_quantile(0.99),
            service: Counts::of(&batch.service),
            latency: Counts::of(&batch.latency),
            phases: batch.phases,
        });
        outcome.times.add(&batch)
    }
}

/// A request in words that let one repeat it.
fn request(mix: &Mix, index: usize) -> String {
    let request = &mix.requests[index];
    let json = serde_json::to_string(request).unwrap_or_else(|_| format!("{request:?}"));
    format!("request {index} of mix {}: {json}", mix.name)
}

#[cfg(test)]
mod tests;

//! A strategy with its scratch and its figures, as the service deploys it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::breaker::Breaker;
use crate::ejected::{Ejected, Ejection};
use crate::high_water::HighWaterReader;
use crate::liars::Liars;
use crate::status::{ScratchState, ScrubState, Standing};
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::grants::Instances;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::page::Worker;
use keyhole_runtime::policy::identity::{SIGNATURE_BYTES, signature_path};
use keyhole_runtime::policy::{Policy, file, lines};
use keyhole_runtime::registry::{BUILT_IN, Found};
use keyhole_runtime::scratch::{Scratch, Scrubbed};
use keyhole_runtime::strategy::Strategy;

/// The priority of strategies that do not serve: of candidates, and of what is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lane {
    /// They get the time that nobody else wants.
    #[default]
    Idle,
    /// They run like everything else, where no request must be hurried.
    Normal,
}

/// What strategies are compiled, filled and run with.
pub(super) struct Environment {
    pub(super) engine: Engine,
    pub(super) log: Log,
    pub(super) cache: PathBuf,
    pub(super) instances: Instances,
    pub(super) lane: Lane,
    pub(super) liars: Liars,
}

impl Environment {
    /// Compiles and links a component: a deployment that may serve once its scratch is filled. Every strategy comes in
    /// here, and no proven liar does.
    pub(super) fn deploy(&self, policy: &Policy, found: Found) -> Result<Arc<Deployment>, Error> {
        let Found { name, origin, bytes, grants, native } = found;
        self.liars.check(&name, &keyhole_log::hash::sha256(&bytes))?;
        let strategy = match (native, name.as_str()) {
            (true, "native-baseline") => Strategy::native_baseline(&name, &bytes, grants),
            (true, _) => Strategy::native_keyset(&name, &bytes, grants),
            (false, _) => Strategy::load(&self.engine, &name, &origin, &bytes, grants)?,
        };
        let filling = Arc::new(Filling::default());
        let scratch = strategy.is_indexed().then(|| {
            let filling = Arc::clone(&filling);
            let progress = Box::new(move |fed, all| {
                filling.fed.store(fed, Relaxed);
                filling.all.store(all, Relaxed);
            });
            Scratch::new(&self.engine, &strategy, &self.log, &self.cache, Some(progress))
        });
        let carried = BUILT_IN.contains(&name.as_str());
        let signature =
            (!carried).then(|| file::read(&signature_path(&origin), SIGNATURE_BYTES).ok()).flatten();
        Ok(Arc::new(Deployment {
            name: strategy.name.as_str().into(),
            digest: strategy.digest.as_str().into(),
            strategy,
            scratch,
            bytes: (!carried).then(|| bytes.into()),
            signature,
            origin,
            breaker: Breaker::new(policy.serve.failures, policy.serve.within),
            filling,
            proven: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            by_reference: AtomicU64::new(0),
            ejection: Ejection::default(),
            draining: AtomicBool::new(false),
            seen: AtomicI64::new(0),
            covered: AtomicI64::new(0),
            scrubbing: Mutex::default(),
        }))
    }

    pub(super) fn worker(&self, deployment: &Deployment) -> Worker {
        let scratch = deployment.scratch.clone();
        Worker::new(&self.engine, &deployment.strategy, self.instances, &self.log, scratch)
    }

    /// Puts the calling thread on the priority of strategies that do not serve. Where the system refuses it,
    /// their work comes at ordinary priority: it is bounded by the same limits.
    pub(super) fn give_way(&self) {
        if self.lane == Lane::Idle {
            let _ = keyhole_runtime::strategy::lane::idle();
        }
    }
}

/// A deployed strategy. Requests hold it by reference, so it lives as long as one that it began.
pub(super) struct Deployment {
    /// The name that it serves under.
    pub(super) name: Arc<str>,
    /// SHA-256 of its component, in hex.
    pub(super) digest: Arc<str>,
    pub(super) strategy: Arc<Strategy>,
    scratch: Option<Arc<Scratch>>,
    /// The component as it was read; none for a strategy that the binary carries.
    pub(super) bytes: Option<Arc<[u8]>>,
    /// The signature that lay beside the component, if one did.
    pub(super) signature: Option<Vec<u8>>,
    /// Where the component was read from.
    pub(super) origin: PathBuf,
    pub(super) breaker: Breaker,
    pub(super) filling: Arc<Filling>,
    /// Whether its answers were compared with the reference's.
    proven: AtomicBool,
    in_flight: AtomicU64,
    answered: AtomicU64,
    /// Requests that the reference answered in its place.
    by_reference: AtomicU64,
    ejection: Ejection,
    draining: AtomicBool,
    /// The last snapshot that a page of it saw, and how much of it scratch covered.
    seen: AtomicI64,
    covered: AtomicI64,
    /// How far the comparison of its scratch with the log is, and when that is to go on.
    scrubbing: Mutex<Scrubbing>,
}

/// The comparison of a scratch with the log: how far it is, and when it goes on, for rows and for payload lines.
#[derive(Default)]
struct Scrubbing {
    state: ScrubState,
    rows_due: Option<Instant>,
    lines_due: Option<Instant>,
}

/// How far the fill of a scratch is: events fed, of how many.
#[derive(Default)]
pub(super) struct Filling {
    pub(super) fed: AtomicU64,
    pub(super) all: AtomicU64,
}

impl Deployment {
    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Relaxed)
    }

    pub(super) fn set_proven(&self, proven: bool) {
        self.proven.store(proven, Relaxed);
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Acquire)
    }

    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Relaxed)
    }

    /// Ejects it: it begins no request from now on.
    pub(super) fn eject(&self, why: Ejected) {
        self.ejection.add(why);
    }

    /// Readmits it with its breaker closed, unless it was ejected for more than its failures. False where it was.
    pub(super) fn readmit(&self) -> bool {
        self.breaker.close();
        self.ejection.lift()
    }

    /// Whether it may not begin a request.
    pub(super) fn is_ejected(&self) -> bool {
        self.ejection.may_not_begin()
    }

    /// Whether it may not even finish a request.
    pub(super) fn is_revoked(&self) -> bool {
        self.ejection.may_not_finish()
    }

    /// Has workers close their connections for it once they have answered, or keep them.
    pub(super) fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Release);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Acquire)
    }

    pub(super) fn has_scratch(&self) -> bool {
        self.scratch.is_some()
    }

    /// How often its scratch was dropped: what a page is answered at.
    pub(super) fn generation(&self) -> u64 {
        self.scratch.as_ref().map_or(0, |scratch| scratch.generation())
    }

    /// Whether a page that it answered at that generation may be wrong because the log's history was changed.
    pub(super) fn was_stale(&self, generation: u64) -> bool {
        self.scratch.as_ref().is_some_and(|scratch| scratch.was_stale(generation))
    }

    /// When the comparison of its scratch is to go on; none for a strategy without scratch.
    pub(super) fn scrub_due(&self) -> Option<Instant> {
        self.has_scratch().then(|| self.scrubbing.lock().rows_due.unwrap_or_else(Instant::now))
    }

    /// The same for the look at payload lines.
    pub(super) fn lines_due(&self) -> Option<Instant> {
        self.has_scratch().then(|| self.scrubbing.lock().lines_due.unwrap_or_else(Instant::now))
    }

    /// Looks at payload lines of its scratch's events, as [`scrub`](Self::scrub) does at rows. What is wrong, in words.
    pub(super) fn scrub_lines(&self, at_most: Duration, rest: f64) -> Result<Option<String>, Error> {
        let Some(scratch) = &self.scratch else { return Ok(None) };
        let began = Instant::now();
        let scrubbed = scratch.scrub_lines(at_most);
        let took = began.elapsed();
        let mut scrubbing = self.scrubbing.lock();
        let (events, of) = scrubbed.as_ref().map_or((0, 0), |lines| (lines.events, lines.of));
        scrubbing.lines_due = Some(Instant::now() + took.mul_f64(rest).max(pause_after(events, of)));
        let lines = scrubbed?;
        scrubbing.state.line_rounds += u64::from(lines.ended);
        scrubbing.state.faults += lines.count;
        let more = lines.count.saturating_sub(lines.faults.len() as u64);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        Ok((lines.count > 0).then(|| format!("{}{more}", lines.faults.join("; "))))
    }

    /// Compares a piece of its scratch with the log, for about so long, and then leaves it for as long as makes a round
    /// last as it should, and `rest` at least for each second.
    pub(super) fn scrub(&self, at_most: Duration, rest: f64) -> Result<(), Error> {
        let Some(scratch) = &self.scratch else { return Ok(()) };
        let began = Instant::now();
        let scrubbed = scratch.scrub(at_most);
        let took = began.elapsed();
        let mut scrubbing = self.scrubbing.lock();
        let Scrubbed { events, round, of, ended, .. } = scrubbed.as_ref().ok().copied().unwrap_or_default();
        let pause = took.mul_f64(rest).max(pause_after(events, of));
        scrubbing.rows_due = Some(Instant::now() + pause);
        let state = &mut scrubbing.state;
        if scrubbed.is_ok() {
            (state.compared, state.of) = (round, of);
        }
        if ended {
            state.rounds += 1;
            state.ended = Some(format!("{:.0}", jiff::Timestamp::now()));
        }
        scrubbed.map(drop)
    }

    /// How the log's history was changed, as far as that was found out since this was last asked.
    pub(super) fn take_findings(&self) -> Vec<String> {
        let findings = self.scratch.as_ref().map(|scratch| scratch.take_findings()).unwrap_or_default();
        self.scrubbing.lock().state.found += findings.len() as u64;
        findings
    }

    /// Has its scratch cover the log.
    pub(super) fn ensure_filled(&self) -> Result<(), Error> {
        self.scratch.as_ref().map_or(Ok(()), |scratch| scratch.ensure_filled())
    }

    /// Has its scratch cover the log and remembers how far. An error says what its policy could grant it.
    pub(super) fn fill(&self, high_water: &HighWaterReader) -> Result<(), Error> {
        if !self.has_scratch() {
            return Ok(());
        }
        let level = high_water.read();
        let grants = &self.strategy.grants;
        self.ensure_filled().map_err(|error| lines::of_refresh(error, &self.name, grants))?;
        self.covers(level.unwrap_or(0));
        Ok(())
    }

    /// Refreshes its scratch if many of the log's events, up to `level`, are not covered: the scratch of a
    /// strategy that is not asked for pages lags behind by itself.
    pub(super) fn keep_up(&self, level: i64) {
        let lag = level.saturating_sub(self.covered.load(Relaxed));
        // A failure is met again by the next page, which says what it is.
        if self.has_scratch() && lag >= self.refresh_after() && self.ensure_filled().is_ok() {
            self.covers(level);
        }
    }

    /// Its scratch covers what its last refresh says; or else the log's events up to `level`, but for fewer than make a
    /// refresh due.
    fn covers(&self, level: i64) {
        let least = || level.saturating_sub(self.refresh_after().saturating_sub(1));
        let covered = self.scratch.as_ref().and_then(|scratch| scratch.covered()).unwrap_or_else(least);
        self.covered.fetch_max(covered.max(0), Relaxed);
    }

    fn refresh_after(&self) -> i64 {
        i64::try_from(self.strategy.grants.refresh_after).unwrap_or(i64::MAX)
    }

    /// Remembers what the ledger of the worker's last page says of the snapshot.
    fn saw(&self, worker: &Worker) {
        if let Some(ledger) = worker.ledger() {
            self.seen.fetch_max(ledger.high_water, Relaxed);
            self.by_reference.fetch_add(u64::from(ledger.by_reference), Relaxed);
            if let Some(covered) = ledger.covered {
                self.covered.store(covered, Relaxed);
            }
        }
    }

    /// How it is doing, on a log whose largest id is `high_water`.
    pub(super) fn standing(&self, high_water: Option<i64>) -> Standing {
        let scratch = self.scratch.as_ref().map(|scratch| {
            let covered = self.covered.load(Relaxed);
            let seen = high_water.unwrap_or_else(|| self.seen.load(Relaxed));
            ScratchState {
                covered,
                lag: seen.saturating_sub(covered).max(0).unsigned_abs(),
                bytes: scratch.bytes(),
                quota: self.strategy.grants.scratch_quota,
                dropped: scratch.drops().len() as u64,
                quarantined: scratch.quarantine().events,
                scrub: self.scrubbing.lock().state.clone(),
            }
        });
        Standing {
            name: self.name.to_string(),
            digest: self.digest.to_string(),
            proven: self.is_proven(),
            in_flight: self.in_flight(),
            answered: self.answered(),
            by_reference: self.by_reference.load(Relaxed),
            breaker: self.breaker.state(),
            scratch,
        }
    }

    /// Its name and the first digits of its digest, for people.
    pub(super) fn shown(&self) -> String {
        let digest: String = self.digest.chars().take(12).collect();
        format!("{} (sha256:{digest})", self.name)
    }
}

/// How long a round of comparisons is to take, at least and for each event: ten seconds for all of 50,000, ten minutes for
/// all of 5,000,000, with what the comparison itself takes.
const ROUND: Duration = Duration::from_secs(9);
const ROUND_A_MILLION: Duration = Duration::from_secs(110);

/// The pause after a piece of so many events of so many, so that a round lasts as long as it should.
fn pause_after(events: u64, of: u64) -> Duration {
    let of = u32::try_from(of.max(1)).unwrap_or(u32::MAX);
    let round = ROUND.max(ROUND_A_MILLION.mul_f64(f64::from(of) / 1e6));
    let share = f64::from(u32::try_from(events).unwrap_or(u32::MAX)) / f64::from(of);
    // Nothing was there to compare, or it failed: it is looked at again.
    round.mul_f64(if events == 0 { 0.1 } else { share.min(1.0) })
}

/// A request's hold on the deployment that answers it.
pub(super) struct InFlight(Arc<Deployment>);

impl InFlight {
    pub(super) fn new(deployment: &Arc<Deployment>) -> Self {
        deployment.in_flight.fetch_add(1, Acquire);
        Self(Arc::clone(deployment))
    }

    pub(super) fn deployment(&self) -> &Arc<Deployment> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Relaxed);
        self.0.in_flight.fetch_sub(1, Release);
    }
}

/// The workers that one thread keeps: one for each deployment that it asks. Few serve at once.
#[derive(Default)]
pub(super) struct Workers(Vec<(Arc<Deployment>, Worker)>);

impl Workers {
    /// The thread's worker of that deployment, made where there is none.
    pub(super) fn of(&mut self, environment: &Environment, deployment: &Arc<Deployment>) -> &mut Worker {
        let known = self.0.iter().position(|(known, _)| Arc::ptr_eq(known, deployment));
        let at = known.unwrap_or_else(|| {
            self.0.push((Arc::clone(deployment), environment.worker(deployment)));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    /// Notes what the worker's last page saw. Returns how often its strategy was denied something meanwhile.
    pub(super) fn answered(&self, deployment: &Arc<Deployment>) -> u64 {
        let known = self.0.iter().find(|(known, _)| Arc::ptr_eq(known, deployment));
        let Some((_, worker)) = known else { return 0 };
        deployment.saw(worker);
        worker.ledger().map_or(0, |ledger| ledger.denied)
    }

    pub(super) fn forget(&mut self, deployment: &Arc<Deployment>) {
        self.0.retain(|(known, _)| !Arc::ptr_eq(known, deployment));
    }

    pub(super) fn forget_draining(&mut self) {
        self.0.retain(|(known, _)| !known.is_draining());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_takes_ten_seconds_at_50_000_events_and_ten_minutes_at_5_000_000() {
        for (of, least, most) in [(1, 8, 10), (50_000, 8, 10), (1_000_000, 100, 120), (5_000_000, 500, 600)] {
            let pieces = 10.min(of);
            let round: Duration = (0..pieces).map(|_| pause_after(of / pieces, of)).sum();
            let [least, most] = [least, most].map(Duration::from_secs);
            assert!((least..=most).contains(&round), "{of}: {round:?}");
        }
        assert!(
            pause_after(0, 0) >= Duration::from_millis(500),
            "an empty log is not looked at all the time"
        );
    }
}

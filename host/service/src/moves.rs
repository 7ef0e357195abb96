//! Who serves next: promotion, rollback, the breaker, and letting go. One pointer is moved; what is written
//! about it comes before where it is a step ahead, and after where it is a step back, which may not wait.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::decisions::{Decision, Event};
use crate::error::Error;
use crate::page::Page;
use crate::service::House;
use crate::service::kept::{self, Kept};
use crate::service::orders::Done;
use crate::service::roster::Roster;
use crate::service::serving::{Out, Serving};
use crate::service::status::{Failure, Stage, Swap};

/// A move that was made and has to be written down.
pub(super) struct Moved {
    decision: Decision,
    swap: Option<Swap>,
}

impl Moved {
    /// Nobody moved, but it is to be known.
    pub(super) fn told(decision: Decision) -> Self {
        Self { decision, swap: None }
    }
}

impl House {
    /// Makes a strategy that is ready, or served before, the active one.
    pub(super) fn promote(
        &self,
        name: &str,
        revision: Option<u64>,
        by: Option<String>,
    ) -> Result<Swap, Error> {
        let _desk = self.desk();
        let began = Instant::now();
        let (next, staging, before, good) = {
            let roster = self.roster();
            let before = self.active();
            let chosen = roster.promotable(name, revision, before.is_some());
            let (next, staging) = match chosen {
                Err(Error::NoSuchStrategy { .. })
                    if before.as_ref().is_some_and(|now| *now.name == *name) =>
                {
                    return Err(not_ready(name, "it is the active one already"));
                }
                chosen => chosen?,
            };
            if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, &next)) {
                return Err(not_ready(name, "it is the active one already"));
            }
            let good = roster.good_after(before.as_ref(), &next);
            (next, staging, before, good)
        };
        let reason = match &before {
            Some(before) => format!("promoted over {}", shown(before)),
            None => "promoted: nothing served".to_owned(),
        };
        // Whoever restarts finds it, and who ordered it, before any client does.
        self.record(&Decision { by: by.clone(), ..self.about(Event::Swap, &next, reason) })?;
        self.keep(Some(&next), &good)?;
        let moved = self.roster().install(self, &next, staging, before.as_ref(), good, "promote", began);
        match moved {
            Ok(swap) => {
                self.queue.tidy();
                Ok(swap)
            }
            Err(error) => {
                self.record(&Decision {
                    by,
                    ..self.about(Event::Swap, &next, format!("not promoted: {error}"))
                })?;
                self.keep_as_it_is()?;
                Err(error)
            }
        }
    }

    /// Makes the one that served before the active one again. The one that served is shadowed anew before it
    /// may serve again.
    pub(super) fn rollback(&self, by: Option<String>) -> Result<Swap, Error> {
        let began = Instant::now();
        let (swap, next, before) = {
            let mut roster = self.roster();
            let Some(next) = roster.last_good() else {
                return Err(not_ready("rollback", "no strategy served before"));
            };
            let before = self.active();
            let good = roster.good_after(None, &next);
            let swap = roster.point(self, Some(&next), before.as_ref(), good, "rollback", began);
            if let Some(before) = &before {
                // A newer staging of its name is what its operator means by now.
                if roster.staged.contains_key(&*before.name)
                    || roster.stage(before, "rollback".to_owned(), Stage::Proven).is_err()
                {
                    roster.let_go(Arc::clone(before));
                }
            }
            (swap, next, before)
        };
        self.queue.tidy();
        let reason = match &before {
            Some(before) => format!("rolled back from {}", shown(before)),
            None => "rolled back: nothing served".to_owned(),
        };
        let decision = Decision { by, ..self.about(Event::Swap, &next, reason) };
        self.settle(&Moved { decision, swap: Some(swap.clone()) });
        Ok(swap)
    }

    /// Lets go of a strategy that does not serve, and waits until it has answered what it began.
    pub(super) fn drain(&self, name: &str, by: Option<String>, patience: Duration) -> Result<Done, Error> {
        let serving = {
            let _desk = self.desk();
            let mut roster = self.roster();
            let known = roster.unstage(name).map(|candidate| {
                if let Some(run) = &candidate.shadow {
                    self.samples.end_shadow(run);
                }
                candidate.serving
            });
            let known = known.or_else(|| {
                let place = roster.good.iter().rposition(|serving| *serving.name == *name)?;
                Some(roster.good.remove(place))
            });
            let retiring = || roster.retiring.iter().find(|serving| *serving.name == *name).cloned();
            let Some(serving) = known.or_else(retiring) else {
                return Err(match self.active() {
                    Some(active) if *active.name == *name => {
                        not_ready(name, "it serves: promote another one, or roll back, first")
                    }
                    _ => Error::NoSuchStrategy { name: name.to_owned() },
                });
            };
            if self.active().is_some_and(|active| Arc::ptr_eq(&active, &serving)) {
                return Err(not_ready(name, "it serves: promote another one, or roll back, first"));
            }
            roster.let_go(Arc::clone(&serving));
            serving
        };
        self.queue.tidy();
        let deadline = Instant::now() + patience;
        while serving.in_flight() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        let last = serving.standing(None);
        let _desk = self.desk();
        self.keep_as_it_is()?;
        let reason =
            format!("let go: {} requests answered, {} still in flight", last.answered, last.in_flight);
        self.record(&Decision { by, ..self.about(Event::Stage, &serving, reason) })?;
        self.roster().drop_drained();
        Ok(Done::Drained(Box::new(last)))
    }

    /// What a page that was answered means for its strategy: nothing, or the end of its time.
    pub(super) fn saw(&self, serving: &Arc<Serving>, page: &Result<Page, Error>) -> Option<Moved> {
        match page {
            Err(error) if serving.breaker.failed(error) => {
                let reason = format!("taken out by the breaker: last {}", error.observed());
                Some(self.take_out(serving, Out::Tripped, reason, "breaker", true))
            }
            _ => None,
        }
    }

    /// A page was served that the reference says is wrong: once is enough.
    pub(super) fn caught(&self, serving: &Arc<Serving>, failure: Failure) {
        if serving.breaker.lied(failure.kind.clone()) {
            let reason = format!("taken out: it served a wrong page ({}): {}", failure.kind, failure.message);
            let mut moved = self.take_out(serving, Out::Tripped, reason, "breaker", false);
            moved.decision.request = failure.smallest.map(|request| request.to_string());
            self.settle(&moved);
        }
    }

    /// Takes a strategy out; if it is the active one, the last good one takes its place, or none does.
    pub(super) fn take_out(
        &self,
        serving: &Arc<Serving>,
        out: Out,
        reason: String,
        why: &str,
        may_rest: bool,
    ) -> Moved {
        let began = Instant::now();
        serving.put_out(out);
        let mut roster = self.roster();
        let before = self.active();
        let next = roster.last_good();
        let mut decision = roster.about(Event::Swap, serving, reason);
        let swap = if before.as_ref().is_some_and(|active| Arc::ptr_eq(active, serving)) {
            let good: Vec<Arc<Serving>> = roster.good.iter().filter(|good| !good.is_out()).cloned().collect();
            let good = match &next {
                Some(next) => good.into_iter().filter(|good| !Arc::ptr_eq(good, next)).collect(),
                None => good,
            };
            let successor = next.as_ref().map_or("nothing".to_owned(), |next| shown(next));
            decision.reason = format!("{}; {successor} serves", decision.reason);
            let swap = roster.point(self, next.as_ref(), before.as_ref(), good, why, began);
            if next.is_none() {
                roster.nothing.clone_from(&decision.reason);
            }
            if next.is_none() && may_rest {
                let rest = serving.breaker.state().within_ms;
                roster.resting = Some((Arc::clone(serving), began + Duration::from_millis(rest)));
            } else {
                roster.let_go(Arc::clone(serving));
            }
            Some(swap)
        } else {
            let good: Vec<Arc<Serving>> = roster.good.iter().filter(|good| !good.is_out()).cloned().collect();
            roster.set_good(good, before.as_ref());
            None
        };
        drop(roster);
        self.queue.tidy();
        Moved { decision, swap }
    }

    /// Lets a strategy in again that its breaker took out with nobody to follow, after a rest.
    pub(super) fn end_rest(&self) {
        let began = Instant::now();
        let mut roster = self.roster();
        let due = roster.resting.as_ref().is_some_and(|(_, until)| began >= *until);
        let Some((serving, _)) = (if due { roster.resting.take() } else { None }) else { return };
        if self.active().is_some() {
            roster.let_go(serving);
            return;
        }
        serving.let_in();
        if serving.is_out() {
            return;
        }
        let good = roster.good.clone();
        let swap = roster.point(self, Some(&serving), None, good, "rested", began);
        drop(roster);
        let decision = self.about(Event::Swap, &serving, "serves again after a rest: nothing else did");
        self.settle(&Moved { decision, swap: Some(swap) });
    }

    /// Writes down what was done already. Where that fails it stands in the service's troubles.
    pub(super) fn settle(&self, moved: &Moved) {
        let _desk = self.desk();
        let kept = if moved.swap.is_some() { self.keep_as_it_is() } else { Ok(()) };
        let written = kept.and_then(|()| self.record(&moved.decision));
        let mut unwritten = self.unwritten.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *unwritten = written.err().map(|error| format!("{}: {error}", moved.decision.reason));
    }

    /// Keeps what is active over a restart. The caller is at the desk.
    pub(super) fn keep_as_it_is(&self) -> Result<(), Error> {
        let (active, good) = {
            let roster = self.roster();
            // One that rests would be tried again, so a restart tries it as well.
            let active =
                self.active().or_else(|| roster.resting.as_ref().map(|(serving, _)| Arc::clone(serving)));
            (active, roster.good.clone())
        };
        self.keep(active.as_ref(), &good)
    }

    fn keep(&self, active: Option<&Arc<Serving>>, good: &[Arc<Serving>]) -> Result<(), Error> {
        let all: Vec<Arc<Serving>> = active.into_iter().chain(good).cloned().collect();
        kept::keep_components(&self.state_folder, &all)?;
        Kept::of(active, good).write(&self.state_folder)
    }

    /// A decision about a strategy, under the policy of now.
    pub(super) fn about(&self, event: Event, serving: &Serving, reason: impl Into<String>) -> Decision {
        self.roster().about(event, serving, reason)
    }

    pub(super) fn record(&self, decision: &Decision) -> Result<(), Error> {
        self.decisions.record(decision).map(|_| ())
    }
}

impl Roster {
    /// A decision about a strategy, under the policy that is in force.
    fn about(&self, event: Event, serving: &Serving, reason: impl Into<String>) -> Decision {
        Decision {
            digest: Some(format!("sha256:{}", serving.digest)),
            policy: self.policy.digest.clone(),
            ..Decision::new(event, &*serving.name, reason)
        }
    }

    /// Makes `next` the active one if nothing has changed since it was chosen.
    #[allow(clippy::too_many_arguments, reason = "what was chosen, and what it was chosen from")]
    fn install(
        &mut self,
        house: &House,
        next: &Arc<Serving>,
        staging: Option<u64>,
        before: Option<&Arc<Serving>>,
        good: Vec<Arc<Serving>>,
        why: &str,
        began: Instant,
    ) -> Result<Swap, Error> {
        let now = house.active();
        let same = match (&now, before) {
            (Some(now), Some(before)) => Arc::ptr_eq(now, before),
            (None, None) => true,
            _ => false,
        };
        if !same || next.is_out() || good.iter().any(|good| good.is_out()) {
            return Err(not_ready(&next.name, "another swap came in between: look again, and order again"));
        }
        if let Some(staging) = staging {
            let known = self.candidate(&next.name, staging);
            let stays = known.is_some_and(|candidate| {
                candidate.stage == Stage::Ready || (now.is_none() && candidate.stage != Stage::Failed)
            });
            if !stays {
                return Err(not_ready(&next.name, "it was staged again, or failed, in between"));
            }
            if let Some(run) = self.staged.get(&*next.name).and_then(|candidate| candidate.shadow.as_ref()) {
                house.samples.end_shadow(run);
            }
            self.staged.remove(&*next.name);
        }
        Ok(self.point(house, Some(next), before, good, why, began))
    }

    /// Moves the pointer.
    pub(super) fn point(
        &mut self,
        house: &House,
        next: Option<&Arc<Serving>>,
        before: Option<&Arc<Serving>>,
        good: Vec<Arc<Serving>>,
        why: &str,
        began: Instant,
    ) -> Swap {
        if let Some(next) = next {
            next.retire(false);
            self.retiring.retain(|retiring| !Arc::ptr_eq(retiring, next));
        }
        house.active.store(next.cloned());
        let took = began.elapsed();
        self.set_good(good, next);
        if let Some((resting, _)) = self.resting.take() {
            self.let_go(resting);
        }
        let swap = Swap {
            why: why.to_owned(),
            from: before.map(|serving| shown(serving)),
            to: next.map(|serving| shown(serving)),
            took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        };
        self.swaps += 1;
        self.last_swap = Some(swap.clone());
        swap
    }
}

pub(super) fn not_ready(name: &str, why: &str) -> Error {
    Error::NotReady { name: name.to_owned(), why: why.to_owned() }
}

/// A strategy by name and the first digits of its digest.
pub(super) fn shown(serving: &Serving) -> String {
    let digest: String = serving.digest.chars().take(12).collect();
    format!("{} (sha256:{digest})", serving.name)
}

/// Whether a strategy was proven.
pub(super) fn is_proven(serving: &Serving) -> bool {
    serving.proven.load(Relaxed)
}

//! A change of the policy: all of it, or none. Whoever it no longer lets in does not serve from that moment on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::decisions::{Decision, Event};
use crate::error::Error;
use crate::policy::Policy;
use crate::registry::{BUILT_IN, Found, Registry};
use crate::service::House;
use crate::service::kept;
use crate::service::lab::found_in;
use crate::service::moves::{not_ready, shown};
use crate::service::roster::Roster;
use crate::service::serving::{Out, Serving};
use crate::service::status::Reloaded;

/// How often it begins anew where the strategies changed meanwhile.
const ATTEMPTS: u32 = 8;

/// What a policy means for a strategy that is known already.
enum Fate {
    /// Nothing changes.
    Same,
    /// It is not let in any more, for this reason.
    Revoked(String),
    /// It goes on with other grants, as this.
    Regranted(Arc<Serving>),
}

/// A strategy and its fate.
type Fates = Vec<(Arc<Serving>, Fate)>;

impl House {
    /// Puts another policy in force.
    pub(super) fn reload(&self, policy: Policy) -> Result<Reloaded, Error> {
        self.have_begun()?;
        let policy = Arc::new(policy);
        let reference = self.reference_under(&policy)?;
        for _ in 0..ATTEMPTS {
            let known = self.known();
            let mut fates = Vec::with_capacity(known.len());
            for serving in &known {
                fates.push((Arc::clone(serving), self.fate(&policy, serving)?));
            }
            let desk = self.desk();
            let Some(reloaded) = self.put_in_force(&policy, &reference, &known, &fates) else {
                drop(desk);
                continue;
            };
            self.queue.tidy();
            self.keep_as_it_is()?;
            self.tell(&policy, &fates)?;
            return Ok(reloaded);
        }
        Err(not_ready("the policy", "strategies were swapped all the while: try again"))
    }

    /// Every strategy that is known, each once.
    fn known(&self) -> Vec<Arc<Serving>> {
        let roster = self.roster();
        let resting = roster.resting.iter().map(|(serving, _)| serving);
        let staged = roster.staged.values().map(|candidate| &candidate.serving);
        let mut known: Vec<Arc<Serving>> = Vec::new();
        let active = self.active();
        for serving in active.iter().chain(&roster.good).chain(resting).chain(staged) {
            if !known.iter().any(|other| Arc::ptr_eq(other, serving)) {
                known.push(Arc::clone(serving));
            }
        }
        known
    }

    fn fate(&self, policy: &Policy, serving: &Arc<Serving>) -> Result<Fate, Error> {
        let found = match self.found_again(policy, serving) {
            Ok(found) => found,
            Err(error) if error.blames_strategy() || matches!(error, Error::NoSuchStrategy { .. }) => {
                return Ok(Fate::Revoked(error.to_string()));
            }
            Err(error) => return Err(error),
        };
        if found.grants == serving.strategy.grants {
            return Ok(Fate::Same);
        }
        let next = match self.check(policy, found) {
            Ok(next) => next,
            Err(error) if error.blames_strategy() => return Ok(Fate::Revoked(error.to_string())),
            Err(error) => return Err(error),
        };
        if let Some(scratch) = &next.scratch {
            scratch.ensure_filled()?;
        }
        next.proven.store(serving.proven.load(Relaxed), Relaxed);
        Ok(Fate::Regranted(next))
    }

    /// A strategy that is known, as a policy lets it in.
    fn found_again(&self, policy: &Policy, serving: &Serving) -> Result<Found, Error> {
        match &serving.bytes {
            None => Registry::new(policy).find(&serving.name),
            Some(bytes) => {
                let kept = kept::component_path(&self.state_folder, &serving.digest);
                let origin = if kept.exists() { kept } else { serving.origin.clone() };
                found_in(policy, origin, bytes.to_vec(), Some(&serving.name))
            }
        }
    }

    /// The moment of the change. None where the strategies are not those that the fates are of.
    fn put_in_force(
        &self,
        policy: &Arc<Policy>,
        reference: &Arc<Serving>,
        known: &[Arc<Serving>],
        fates: &Fates,
    ) -> Option<Reloaded> {
        let began = Instant::now();
        let now = self.known();
        let same =
            now.len() == known.len() && now.iter().zip(known).all(|(one, other)| Arc::ptr_eq(one, other));
        if !same {
            return None;
        }
        let mut roster = self.roster();
        let mut reloaded = Reloaded { policy: policy.digest.clone(), ..Reloaded::default() };
        if policy.ceilings != roster.policy.ceilings {
            reloaded.needs_restart.push("host".to_owned());
        }
        roster.policy = Arc::clone(policy);
        self.samples.set_reference_share(policy.serve.reference_share);
        self.reference.store(Arc::clone(reference));
        let successor = |serving: &Arc<Serving>| {
            let fate = fates.iter().find(|(known, _)| Arc::ptr_eq(known, serving)).map(|(_, fate)| fate);
            match fate {
                Some(Fate::Revoked(_)) => None,
                Some(Fate::Regranted(next)) => Some(Arc::clone(next)),
                _ => Some(Arc::clone(serving)),
            }
        };
        for (serving, fate) in fates {
            serving.breaker.adjust(policy.serve.failures, policy.serve.within);
            match fate {
                Fate::Same => {}
                Fate::Revoked(_) => {
                    serving.put_out(Out::Revoked);
                    reloaded.revoked.push(shown(serving));
                }
                Fate::Regranted(_) => reloaded.regranted.push(shown(serving)),
            }
        }
        self.replace_staged(&mut roster, &successor);
        let before = self.active();
        let resting = roster.resting.take();
        let mut good: Vec<Arc<Serving>> = roster.good.iter().filter_map(&successor).collect();
        let next = before.as_ref().and_then(&successor).or_else(|| {
            let place = good.iter().rposition(|serving| !serving.is_out())?;
            before.as_ref().map(|_| good.remove(place))
        });
        let changed = match (&before, &next) {
            (Some(before), Some(next)) => !Arc::ptr_eq(before, next),
            (Some(_), None) => true,
            _ => false,
        };
        if changed {
            let why = if before.as_ref().is_some_and(|before| before.is_revoked()) {
                "revoked"
            } else {
                "regranted"
            };
            if next.is_none() {
                "the policy no longer lets in the strategy that served".clone_into(&mut roster.nothing);
            }
            roster.point(self, next.as_ref(), before.as_ref(), good, why, began);
            if let Some(before) = before {
                roster.let_go(before);
            }
        } else {
            roster.set_good(good, next.as_ref());
            // One that rests and is still let in rests on.
            roster.resting = resting.filter(|(serving, _)| !serving.is_revoked());
        }
        reloaded.active = next.as_ref().map(|serving| shown(serving));
        Some(reloaded)
    }

    /// Candidates go on with other grants from the beginning, or not at all.
    fn replace_staged(&self, roster: &mut Roster, successor: &dyn Fn(&Arc<Serving>) -> Option<Arc<Serving>>) {
        let names: Vec<String> = roster.staged.keys().cloned().collect();
        for name in names {
            let Some(candidate) = roster.staged.get(&name) else { continue };
            let same = successor(&candidate.serving)
                .is_some_and(|serving| Arc::ptr_eq(&serving, &candidate.serving));
            if same {
                continue;
            }
            if let Some(candidate) = roster.unstage(&name) {
                if let Some(run) = &candidate.shadow {
                    self.samples.end_shadow(run);
                }
                roster.let_go(candidate.serving);
            }
        }
    }

    fn tell(&self, policy: &Policy, fates: &Fates) -> Result<(), Error> {
        for (serving, fate) in fates {
            let reason = match fate {
                Fate::Same => continue,
                Fate::Revoked(why) => format!("revoked by the policy: {why}"),
                Fate::Regranted(_) => "the policy grants it something else".to_owned(),
            };
            self.record(&self.about(Event::Swap, serving, reason))?;
        }
        let reason = match &self.active() {
            Some(active) => format!("the policy was read again: {} serves", shown(active)),
            None => "the policy was read again: nothing serves".to_owned(),
        };
        self.record(&Decision { policy: policy.digest.clone(), ..Decision::new(Event::Stage, "", reason) })
    }

    /// The reference that a policy names, its scratch filled. It must be there at once: nothing is judged without.
    fn reference_under(&self, policy: &Policy) -> Result<Arc<Serving>, Error> {
        let reference = self.reference_named(policy)?;
        if let Some(scratch) = &reference.scratch {
            scratch.ensure_filled()?;
        }
        Ok(reference)
    }

    /// The reference that a policy names.
    pub(super) fn reference_named(&self, policy: &Policy) -> Result<Arc<Serving>, Error> {
        let found = Registry::new(policy).find(&policy.serve.reference)?;
        let reference = self.check(policy, found).map_err(|error| error.during("loading the reference"))?;
        reference.proven.store(true, Relaxed);
        Ok(reference)
    }

    /// A strategy that was kept, as the policy lets it in now.
    pub(super) fn restore(&self, policy: &Policy, kept: &kept::Known) -> Result<Arc<Serving>, Error> {
        let found = if BUILT_IN.contains(&kept.name.as_str()) {
            Registry::new(policy).find(&kept.name)?
        } else {
            let origin: PathBuf = kept::component_path(&self.state_folder, &kept.digest);
            let bytes = kept::component(&self.state_folder, &kept.digest)?;
            found_in(policy, origin, bytes, Some(&kept.name))?
        };
        let serving = self.check(policy, found)?;
        if *serving.digest != *kept.digest {
            let why = format!("its digest is sha256:{}, and sha256:{} served", serving.digest, kept.digest);
            return Err(not_ready(&kept.name, &why));
        }
        serving.proven.store(kept.proven, Relaxed);
        Ok(serving)
    }
}

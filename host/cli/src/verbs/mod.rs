//! The verbs: options in, report out. The work is done elsewhere.

pub mod allow;
pub mod audit;
pub mod bench;
pub mod child;
pub mod decisions;
pub mod demo;
pub mod diff;
pub mod document;
pub mod inspect;
pub mod ledger;
pub mod output;
pub mod page;
pub mod policy;
pub mod progress;
pub mod report;
pub mod scratch;
pub mod seed;
pub mod selftest;
pub mod serve;
pub mod strategy;
pub mod verify;
pub mod version;
pub mod why_empty;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::args::Common;
use keyhole_log::Log;
use keyhole_log::dataset::generator;
use keyhole_log::error::Error;
use keyhole_log::feed::Feeder;
use keyhole_log::grants::Instances;
use keyhole_log::limits::Ceilings;
use keyhole_log::survey::profile::Profile;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::loader::Loader;
use keyhole_runtime::page::{Cursors, Worker};
use keyhole_runtime::policy::{Policy, lines};
use keyhole_runtime::registry::Registry;
use keyhole_runtime::scratch::Scratch;
use keyhole_runtime::strategy::Strategy;
use keyhole_service::decisions::{Decisions, Denials, Recorder};

use progress::Progress;

/// What a verb that runs strategies needs: the policy, the engine, the folders, and the decision log.
pub struct Setup {
    /// The options that go with every verb.
    pub common: Common,
    /// What strategies are granted.
    pub policy: Policy,
    /// The process's engine.
    pub engine: Engine,
    state: PathBuf,
    cache: PathBuf,
    recorder: Recorder,
}

impl Setup {
    /// Under the policy that the options name.
    pub fn new(common: Common) -> Result<Self, Error> {
        Self::under(common, false)
    }

    /// With an engine that counts fuel, for trials: what they load was recorded by the audit.
    fn counting_fuel(common: Common) -> Result<Self, Error> {
        let setup = Self::under(common, true)?;
        Ok(Self { recorder: setup.recorder.silent(), ..setup })
    }

    /// Under a policy that is only tried: what it lets in is not recorded as let in, and what is recorded
    /// was decided under the policy of this digest.
    fn on_trial(common: Common, mut tried: Policy, in_force: Option<String>) -> Result<Self, Error> {
        let setup = Self::under(common, false)?;
        let recorder = Recorder::new(Decisions::open(&setup.state), in_force.clone()).silent();
        tried.digest = in_force;
        Ok(Self { policy: tried, recorder, ..setup })
    }

    fn under(common: Common, counting_fuel: bool) -> Result<Self, Error> {
        let state = common.state_folder()?;
        let cache = common.cache_folder()?;
        // This very file, even where another one was put in its place meanwhile.
        let program = || "/proc/self/exe".into();
        let loader = Loader::new(program()).with_cache(&cache, &state).unwrap_or_else(|error| {
            output::remark(&common, &format!("compiled code is not kept: {error}"));
            Loader::new(program())
        });
        let policy = Policy::load(common.policy.as_deref())?;
        let ceilings = &policy.ceilings;
        let ceilings = Ceilings { fuel: ceilings.fuel || counting_fuel, ..ceilings.clone() };
        let engine = Engine::with_loader(&ceilings, loader)?;
        let recorder = Recorder::new(Decisions::open(&state), policy.digest.clone());
        Ok(Self { common, policy, engine, state, cache, recorder })
    }

    /// Where scratch lies.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Where the cursor key lies.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// A strategy by name or path. That a file was let in, or was not, is recorded.
    pub fn strategy(&self, name: &str) -> Result<Arc<Strategy>, Error> {
        let registry = Registry::new(&self.policy);
        let before = self.engine.loader().counts().thrown_away;
        let outcome = registry.strategy(&self.engine, name);
        if self.engine.loader().counts().thrown_away > before {
            self.remark(&format!(
                "compiled code of {name} in {} was not this host's own, or damaged: it was not loaded but \
                 thrown away",
                self.cache.join("code").display()
            ));
        }
        self.warn_unrecorded(self.recorder.loaded(registry, name, &outcome));
        outcome
    }

    /// Records a verdict about a strategy, if it is from a file: with this digest, or the one that it was
    /// let in with.
    pub fn record_verdict(
        &self,
        name: &str,
        digest: Option<&str>,
        reason: impl Into<String>,
    ) -> Result<(), Error> {
        self.recorder.verdict(name, digest, reason)
    }

    /// Records what a strategy was denied during a run.
    pub fn record_denials(&self, strategy: &Strategy, denials: Denials) {
        self.warn_unrecorded(self.recorder.denied(strategy, denials));
    }

    fn warn_unrecorded(&self, recorded: Result<(), Error>) {
        if let Err(error) = recorded {
            self.remark(&format!("keyhole: this was not recorded in the decision log: {error}"));
        }
    }

    /// The log that --data names.
    pub fn log(&self) -> Result<Log, Error> {
        Log::open(&self.common.data)
    }

    /// A strategy's scratch for a log, filled; none for a strategy that has no index.
    pub fn scratch(&self, strategy: &Arc<Strategy>, log: &Log) -> Result<Option<Arc<Scratch>>, Error> {
        if !strategy.is_indexed() {
            return Ok(None);
        }
        let bar = Arc::new(Progress::new(&self.common, format!("filling the scratch of {}", strategy.name)));
        // Refreshes of later on are nobody's wait.
        let told = Arc::downgrade(&bar);
        let scratch = Scratch::new(
            &self.engine,
            strategy,
            log,
            &self.cache,
            Some(Box::new(move |fed, all| {
                if let Some(bar) = told.upgrade() {
                    bar.at(fed, all);
                }
            })),
        );
        scratch
            .ensure_filled()
            .map_err(|error| lines::of_refresh(error, &strategy.name, &strategy.grants))?;
        Ok(Some(scratch))
    }

    /// A worker of a strategy on a log.
    pub fn worker(&self, strategy: &Arc<Strategy>, instances: Instances, log: &Log) -> Result<Worker, Error> {
        let scratch = self.scratch(strategy, log)?;
        Ok(Worker::new(&self.engine, strategy, instances, log, scratch))
    }

    /// The cursors of a log. An empty log has none to give, so its name does not matter.
    pub fn cursors(&self, log: &Log) -> Result<Cursors, Error> {
        let feeder = Feeder::open(log)?;
        let name = match feeder.first()? {
            Some(first) => feeder.row_text(first)?.unwrap_or_default(),
            None => String::new(),
        };
        Cursors::open(&self.state, name)
    }

    /// The log's summary.
    pub fn profile(&self, log: &Log) -> Result<Profile, Error> {
        Profile::of(log, generator::now_of)
    }

    /// A remark for people, on standard error.
    pub fn remark(&self, text: &str) {
        output::remark(&self.common, text);
    }
}

/// The error of a verb that needs a policy where none is named.
fn no_policy() -> Error {
    Error::bad_request(
        "which policy? name it with --policy FILE or KEYHOLE_POLICY; `keyhole policy new` makes one"
            .to_owned(),
    )
}

//! The verbs: options in, report out. The work is done elsewhere.

pub mod allow;
pub mod append;
pub mod audit;
pub mod bench;
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
pub mod recorded;
pub mod report;
pub mod scratch;
pub mod seed;
pub mod selftest;
pub mod serve;
pub mod strategy;
pub mod verify;
pub mod version;

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::{Cli, Common, DemoArgs, Verb};
use crate::contract::dataset;
use crate::engine::Engine;
use crate::error::Error;
use crate::limits::Ceilings;
use crate::loader::{Loader, child};
use crate::log::Log;
use crate::log::feed::Feeder;
use crate::log::profile::Profile;
use crate::page::Cursors;
use crate::policy::{Policy, lines};
use crate::scratch::Scratch;
use crate::strategy::{Instances, Strategy, Worker};

use output::Output;
use progress::Bar;
use recorded::Recorded;

/// Runs a verb and returns the exit code.
pub fn run(cli: Cli) -> Result<u8, Error> {
    let Cli { verb, common, version } = cli;
    if version {
        return version::run(&common);
    }
    match verb.unwrap_or(Verb::Demo(DemoArgs { requests: 1000 })) {
        Verb::Demo(args) => demo::run(&Setup::new(common)?, &args),
        Verb::Page(args) => page::run(&Setup::new(common)?, &args),
        Verb::Audit(args) => audit::run(&Setup::new(common)?, &args),
        Verb::AuditTrial(args) => audit::run_trial(common, &args),
        Verb::Decisions(args) => decisions::run(&common, &args),
        Verb::Diff(args) => diff::run(common, &args),
        Verb::Serve(args) => serve::run(common, &args),
        Verb::Inspect(args) => inspect::run(&common, &args),
        Verb::Verify(args) => verify::run(&Setup::new(common)?, &args),
        Verb::Bench(args) => bench::run(&Setup::new(common)?, &args),
        Verb::Report(args) => report::run(&common, &args),
        Verb::Policy(verb) => policy::run(&common, verb),
        Verb::Seed(args) => seed::run(&common, &args),
        Verb::Scratch(verb) => scratch::run(&common, verb),
        Verb::Strategy(args) => strategy::run(&common, args),
        Verb::Selftest(args) => selftest::run(&common, &args),
        Verb::PlayAttacks => selftest::play(&common),
        Verb::AppendToCopy => append::run(&common),
        Verb::CompileComponent(orders) => child::run(&orders),
    }
}

/// What a verb that runs strategies needs: the engine and the folders.
pub struct Setup {
    /// The options that go with every verb.
    pub common: Common,
    /// What strategies are granted.
    pub policy: Policy,
    /// The process's engine.
    pub engine: Engine,
    state: PathBuf,
    cache: PathBuf,
    recorded: Recorded,
}

impl Setup {
    fn new(common: Common) -> Result<Self, Error> {
        Self::under(common, false, Recorded::default())
    }

    /// With an engine that counts fuel, for trials: what they load was recorded by the audit.
    fn counting_fuel(common: Common) -> Result<Self, Error> {
        Self::under(common, true, Recorded::silent())
    }

    /// Under a policy that is only tried: what it lets in is not recorded as let in, and what is recorded
    /// was decided under the policy of this digest.
    fn on_trial(common: Common, in_force: Option<String>) -> Result<Self, Error> {
        let mut setup = Self::under(common, false, Recorded::silent())?;
        setup.policy.digest = in_force;
        Ok(setup)
    }

    fn under(common: Common, counting_fuel: bool, recorded: Recorded) -> Result<Self, Error> {
        let state = state_folder(&common)?;
        let cache = cache_folder(&common)?;
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
        Ok(Self { common, policy, engine, state, cache, recorded })
    }

    /// Where scratch lies.
    pub fn cache(&self) -> &std::path::Path {
        &self.cache
    }

    /// Where the cursor key lies.
    pub fn state(&self) -> &std::path::Path {
        &self.state
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
        let bar = Bar::new(&self.common, format!("filling the scratch of {}", strategy.name));
        let scratch = Scratch::new(
            &self.engine,
            strategy,
            log,
            &self.cache,
            Some(Box::new(move |fed, all| bar.at(fed, all))),
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
        Profile::of(log, dataset::now_of)
    }

    /// Where the results go.
    pub fn output(&self) -> Result<Output, Error> {
        Output::open(&self.common)
    }

    /// A remark for people, on standard error.
    pub fn remark(&self, text: &str) {
        output::remark(&self.common, text);
    }
}

/// Where the cursor key and the decision log lie.
fn state_folder(common: &Common) -> Result<PathBuf, Error> {
    folder(common.state.clone(), "XDG_STATE_HOME", ".local/state", "--state")
}

/// Where scratch and compiled code lie.
fn cache_folder(common: &Common) -> Result<PathBuf, Error> {
    folder(common.cache.clone(), "XDG_CACHE_HOME", ".cache", "--cache")
}

fn folder(given: Option<PathBuf>, variable: &str, below_home: &str, option: &str) -> Result<PathBuf, Error> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    given
        .or_else(|| absolute(variable).map(|base| base.join("keyhole")))
        .or_else(|| absolute("HOME").map(|home| home.join(below_home).join("keyhole")))
        .ok_or_else(|| {
            Error::bad_request(format!("neither {variable} nor HOME is set: say where with {option} DIR"))
        })
}

//! Strategies from elsewhere, each under the request of its row in the table of cases.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use keyhole::engine::Engine;
use keyhole::error::{Error, observed_denial};
use keyhole::limits::{Ceilings, Compiling};
use keyhole::loader::Loader;
use keyhole::log::Log;
use keyhole::page::Pager;
use keyhole::policy::Grants;
use keyhole::scratch::Scratch;
use keyhole::selftest::cases::{self, Case};
use keyhole::selftest::zoo;
use keyhole::strategy::{Strategy, Worker};

/// A strategy, what is asked of it, and what it is let in under.
pub(crate) struct Stranger {
    pub(crate) case: Case,
    pub(crate) bytes: Vec<u8>,
    pub(crate) grants: Grants,
    pub(crate) ceilings: Ceilings,
    pub(crate) compiling: Compiling,
}

impl Stranger {
    /// The strategy of a case, as the table has it.
    pub(crate) fn of(case: &Case) -> Self {
        Self {
            case: *case,
            bytes: zoo::component(case.name).unwrap(),
            grants: case.grants(),
            ceilings: Ceilings::default(),
            compiling: Compiling::default(),
        }
    }

    /// The strategy of that name.
    pub(crate) fn named(name: &str) -> Self {
        Self::of(cases::find(name).unwrap())
    }

    /// Lets it in, or not.
    pub(crate) fn load(&self) -> Result<(Engine, Arc<Strategy>), Error> {
        let loader = Loader::new(compiler()).with_limits(self.compiling.clone());
        let engine = Engine::with_loader(&self.ceilings, loader)?;
        let name = self.case.name;
        let strategy = Strategy::load(&engine, name, Path::new(name), &self.bytes, self.grants.clone())?;
        Ok((engine, strategy))
    }

    /// Plays it to its end: the error's observation, or that a page came, and what was denied meanwhile.
    pub(crate) fn play(&self, folder: &Path) -> String {
        self.ask(folder).unwrap_or_else(|error| error.observed())
    }

    fn ask(&self, folder: &Path) -> Result<String, Error> {
        let (engine, strategy) = self.load()?;
        let log = Log::open(folder)?;
        let scratch = strategy
            .is_indexed()
            .then(|| Scratch::new(&engine, &strategy, &log, &folder.join("cache"), None));
        if let Some(scratch) = &scratch {
            scratch.ensure_filled()?;
        }
        let mut worker = Worker::new(&engine, &strategy, self.case.instances, &log, scratch);
        for _ in 0..self.case.times {
            worker.page(&self.case.ask.request())?;
        }
        let denials: BTreeSet<String> = worker
            .ledger()
            .map(|ledger| ledger.denials().map(|(rule, object)| observed_denial(rule, object)).collect())
            .unwrap_or_default();
        let list: Vec<String> = denials.into_iter().collect();
        Ok(if list.is_empty() { "page".to_owned() } else { format!("page, and {}", list.join(", ")) })
    }
}

/// This very program, so that the same guards are off in the compiler's process.
pub(crate) fn compiler() -> std::path::PathBuf {
    std::env::current_exe().unwrap()
}

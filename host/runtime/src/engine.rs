//! The wasmtime engine of the process, with the loader that turns components into its code, and the thread that
//! advances its epoch.

use std::sync::Arc;
use std::time::Duration;

use crate::compilation::config;
use crate::loader::Loader;
use keyhole_log::error::Error;
use keyhole_log::limits::Ceilings;

/// The version of wasmtime, as the lock file has it: wasmtime does not tell its own.
pub const WASMTIME_VERSION: &str = env!("KEYHOLE_WASMTIME");

/// How often the epoch advances. A request's guest time is exact to about one tick.
pub const TICK: Duration = Duration::from_millis(5);

/// The engine. One a process: stores of two engines must not meet.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    ceilings: Ceilings,
    loader: Arc<Loader>,
}

impl Engine {
    /// An engine for what the binary carries: it has no compiler for components from elsewhere.
    pub fn new(ceilings: &Ceilings) -> Result<Self, Error> {
        Self::with_loader(ceilings, Loader::built_in_only())
    }

    /// Builds the engine and starts its ticker, which ends with the engine.
    pub fn with_loader(ceilings: &Ceilings, loader: Loader) -> Result<Self, Error> {
        let inner =
            wasmtime::Engine::new(&config(ceilings)?).map_err(|error| Error::Engine(format!("{error:#}")))?;
        let weak = inner.weak();
        // A thread of its own: a guest that never yields cannot starve it, as it could a task.
        std::thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                while let Some(engine) = weak.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            })
            .map_err(|source| Error::io("the epoch thread", source))?;
        Ok(Self { inner, ceilings: ceilings.clone(), loader: Arc::new(loader) })
    }

    /// What turns components into code.
    pub fn loader(&self) -> &Loader {
        &self.loader
    }

    /// What its pools hold.
    pub fn ceilings(&self) -> &Ceilings {
        &self.ceilings
    }

    /// The engine itself.
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compilation::compiling;

    #[test]
    fn the_engine_takes_its_configuration() {
        Engine::new(&Ceilings::default()).unwrap();
    }

    #[test]
    fn the_child_compiles_for_the_engine_that_serves() {
        let hash = |engine: &wasmtime::Engine| {
            use std::hash::{DefaultHasher, Hash, Hasher};
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        for fuel in [false, true] {
            let serving = Engine::new(&Ceilings { fuel, ..Ceilings::default() }).unwrap();
            assert_eq!(hash(serving.wasmtime()), hash(&compiling(fuel).unwrap()), "fuel: {fuel}");
        }
    }
}

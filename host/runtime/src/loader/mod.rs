//! Untrusted bytes become code here and nowhere else.
//!
//! A component from elsewhere is read once ([`file`]), parsed and compiled by a child process under
//! resource limits ([`compiler`], [`child`], [`examine`]), and its machine code kept under a code of its
//! own ([`cache`]). What the child protects is the host's memory and time. It is no wall against a
//! compiler that is made to emit wrong code: machine code is trusted because this program's own
//! compiler made it, never because of where it lies.

mod cache;
pub mod child;
mod code;
mod compiler;
pub mod examine;
pub mod file;
pub mod inspect;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::embedded;
use keyhole_log::error::Error;
use keyhole_log::grants::Grants;
use keyhole_log::limits::Compiling;

use cache::{Cache, Found};
use code::Code;

/// How components get to be code: with which compiler, under which limits, kept where.
pub struct Loader {
    compiler: Option<PathBuf>,
    limits: Compiling,
    cache: Option<Cache>,
    compiled: AtomicU64,
    cached: AtomicU64,
    thrown_away: AtomicU64,
}

/// What a loader did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Components that were compiled.
    pub compiled: u64,
    /// Components whose code came from the cache.
    pub cached: u64,
    /// Entries of the cache that were not this host's own, or damaged: none of them was loaded.
    pub thrown_away: u64,
}

impl Loader {
    /// A loader of what the binary carries. It has no compiler for anything else.
    pub fn built_in_only() -> Self {
        Self::make(None)
    }

    /// A loader that compiles in a child process of `compiler`, which is this program.
    pub fn new(compiler: PathBuf) -> Self {
        Self::make(Some(compiler))
    }

    fn make(compiler: Option<PathBuf>) -> Self {
        Self {
            compiler,
            limits: Compiling::default(),
            cache: None,
            compiled: AtomicU64::new(0),
            cached: AtomicU64::new(0),
            thrown_away: AtomicU64::new(0),
        }
    }

    /// The same under other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Compiling) -> Self {
        self.limits = limits;
        self
    }

    /// The same, keeping machine code in the cache folder, under a key from the state folder.
    pub fn with_cache(mut self, cache: &Path, state: &Path) -> Result<Self, Error> {
        self.cache = Some(Cache::open(cache, state, self.limits.cache_bytes)?);
        Ok(self)
    }

    /// The limits in effect.
    pub fn limits(&self) -> &Compiling {
        &self.limits
    }

    /// What it did so far.
    pub fn counts(&self) -> Counts {
        Counts {
            compiled: self.compiled.load(Relaxed),
            cached: self.cached.load(Relaxed),
            thrown_away: self.thrown_away.load(Relaxed),
        }
    }

    /// The component in these bytes as code of this engine, which counts fuel or not, from the cache or compiled.
    pub(crate) fn component(
        &self,
        engine: &wasmtime::Engine,
        fuel: bool,
        origin: &Path,
        bytes: &[u8],
        grants: &Grants,
    ) -> Result<Component, Error> {
        let name = cache::Name::of(engine, &Sha256::digest(bytes).into());
        match self.cache.as_ref().map_or(Found::Nothing, |cache| cache.get(&name)) {
            Found::Code(code) => {
                // Code that the engine refuses for all that is from another build of this program.
                if let Ok(component) = code.load(engine) {
                    self.cached.fetch_add(1, Relaxed);
                    return Ok(component);
                }
                self.thrown_away.fetch_add(1, Relaxed);
            }
            Found::Foreign => {
                self.thrown_away.fetch_add(1, Relaxed);
            }
            Found::Nothing => {}
        }
        let code = self.compile(engine, fuel, origin, bytes, grants)?;
        self.compiled.fetch_add(1, Relaxed);
        let component = code
            .load(engine)
            .map_err(|reason| Error::Refused { path: origin.to_owned(), reasons: vec![reason] })?;
        if let Some(cache) = &self.cache {
            cache.put(&name, &code);
        }
        Ok(component)
    }

    fn compile(
        &self,
        engine: &wasmtime::Engine,
        fuel: bool,
        origin: &Path,
        bytes: &[u8],
        grants: &Grants,
    ) -> Result<Code, Error> {
        if embedded::contains(bytes) {
            return Code::compile(engine, bytes)
                .map_err(|reason| Error::Refused { path: origin.to_owned(), reasons: vec![reason] });
        }
        let Some(program) = &self.compiler else {
            return Err(Error::Engine(format!(
                "{} is not built in, and this engine was given no compiler",
                origin.display()
            )));
        };
        let answer = compiler::compile(program, fuel, bytes, grants, &self.limits)?;
        answer.map_err(|reasons| Error::Refused { path: origin.to_owned(), reasons })
    }
}

//! A strategy that serves, or may: what its requests need, and how it is doing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::engine::Engine;
use crate::error::Error;
use crate::log::Log;
use crate::policy::file;
use crate::policy::identity::{SIGNATURE_BYTES, signature_path};
use crate::scratch::Scratch;
use crate::service::breaker::Breaker;
use crate::service::status::{ScratchState, Standing};
use crate::strategy::{Instances, Strategy, Worker};

/// Why a strategy may not answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Out {
    /// The breaker took it out.
    Tripped = 1,
    /// The policy no longer lets it in. What it is answering is thrown away.
    Revoked = 2,
}

/// A strategy with its scratch. Requests hold it by reference, so it lives as long as one that it began.
pub struct Serving {
    /// The name that it serves under.
    pub name: Arc<str>,
    /// SHA-256 of its component, in hex.
    pub digest: Arc<str>,
    pub(super) strategy: Arc<Strategy>,
    pub(super) scratch: Option<Arc<Scratch>>,
    /// The component as it was read; none for what the binary carries.
    pub(super) bytes: Option<Arc<[u8]>>,
    /// The signature that lay beside it, if one did.
    pub(super) signature: Option<Vec<u8>>,
    /// Where it was read from.
    pub(super) origin: PathBuf,
    pub(super) breaker: Breaker,
    /// How far the fill of its scratch is.
    pub(super) filling: Arc<Filling>,
    /// Whether its answers were compared with the reference's before it served.
    pub(super) proven: AtomicBool,
    in_flight: AtomicU64,
    answered: AtomicU64,
    out: AtomicU8,
    retired: AtomicBool,
    /// The last snapshot that a page of it saw, and how much of it scratch covered.
    seen: AtomicI64,
    covered: AtomicI64,
}

/// How far a fill is: events fed, of how many.
#[derive(Default)]
pub(super) struct Filling {
    pub(super) fed: AtomicU64,
    pub(super) all: AtomicU64,
}

/// A request's hold on a strategy.
pub(super) struct Held(Arc<Serving>);

impl Serving {
    pub(super) fn new(
        strategy: Arc<Strategy>,
        scratch: Option<Arc<Scratch>>,
        filling: Arc<Filling>,
        component: Option<(PathBuf, Arc<[u8]>)>,
        breaker: Breaker,
    ) -> Arc<Self> {
        let (origin, bytes) = component.unzip();
        let origin = origin.unwrap_or_default();
        let signature =
            bytes.as_ref().and_then(|_| file::read(&signature_path(&origin), SIGNATURE_BYTES).ok());
        Arc::new(Self {
            name: strategy.name.as_str().into(),
            digest: strategy.digest.as_str().into(),
            strategy,
            scratch,
            bytes,
            signature,
            origin,
            breaker,
            filling,
            proven: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            out: AtomicU8::new(0),
            retired: AtomicBool::new(false),
            seen: AtomicI64::new(0),
            covered: AtomicI64::new(0),
        })
    }

    /// A worker of it.
    pub(super) fn worker(&self, engine: &Engine, instances: Instances, log: &Log) -> Worker {
        Worker::new(engine, &self.strategy, instances, log, self.scratch.clone())
    }

    /// Whether it is the same component under the same name.
    pub(super) fn is(&self, name: &str, digest: &str) -> bool {
        *self.name == *name && *self.digest == *digest
    }

    /// How many requests it is answering.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Acquire)
    }

    /// How many requests it has answered.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Relaxed)
    }

    /// Takes it out: it begins no request from now on.
    pub(super) fn put_out(&self, why: Out) {
        self.out.fetch_max(why as u8, Release);
    }

    /// Lets it in again, unless it is revoked. Its failures until now are forgotten.
    pub(super) fn let_in(&self) {
        self.breaker.close();
        let _ = self.out.compare_exchange(Out::Tripped as u8, 0, Release, Relaxed);
    }

    /// Whether it may not begin a request.
    pub(super) fn is_out(&self) -> bool {
        self.out.load(Acquire) != 0
    }

    /// Whether it may not even finish one.
    pub(super) fn is_revoked(&self) -> bool {
        self.out.load(Acquire) == Out::Revoked as u8
    }

    /// Workers let go of it, or keep a connection for it, from now on.
    pub(super) fn retire(&self, retired: bool) {
        self.retired.store(retired, Release);
    }

    /// Whether workers let go of it once they have answered.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Acquire)
    }

    /// Remembers what a page's ledger says of the snapshot.
    pub(super) fn saw(&self, worker: &Worker) {
        if let Some(ledger) = worker.ledger() {
            self.seen.fetch_max(ledger.high_water, Relaxed);
            if let Some(covered) = ledger.covered {
                self.covered.store(covered, Relaxed);
            }
        }
    }

    /// Has its scratch refreshed if many of the log's events, up to `level`, are not covered: a strategy that
    /// is not asked for pages lags behind by itself.
    pub(super) fn keep_up(&self, level: i64) {
        let Some(scratch) = &self.scratch else { return };
        let due = i64::try_from(self.strategy.grants.refresh_after).unwrap_or(i64::MAX);
        if level.saturating_sub(self.covered.load(Relaxed)) < due {
            return;
        }
        // A failure is met again by the next page, which says what it is.
        if scratch.ensure_filled().is_ok() {
            self.filled(level);
        }
    }

    /// Its scratch was found to cover the log's events up to `level`, but for fewer than make a refresh due.
    pub(super) fn filled(&self, level: i64) {
        let due = i64::try_from(self.strategy.grants.refresh_after).unwrap_or(i64::MAX);
        self.covered.fetch_max(level.saturating_sub(due.saturating_sub(1)).max(0), Relaxed);
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
            }
        });
        Standing {
            name: self.name.to_string(),
            digest: self.digest.to_string(),
            proven: self.proven.load(Relaxed),
            in_flight: self.in_flight(),
            answered: self.answered(),
            breaker: self.breaker.state(),
            scratch,
        }
    }
}

impl Held {
    pub(super) fn new(serving: &Arc<Serving>) -> Self {
        serving.in_flight.fetch_add(1, Acquire);
        Self(Arc::clone(serving))
    }

    pub(super) fn serving(&self) -> &Arc<Serving> {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Relaxed);
        self.0.in_flight.fetch_sub(1, Release);
    }
}

/// Why no request can be begun.
pub(super) fn nothing_serves(why: &str) -> Error {
    Error::NothingServes { why: why.to_owned() }
}

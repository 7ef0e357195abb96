//! A share of the pages that were served, drawn to be asked again of the reference and of a candidate in shadow.
//! Samples that the comparison does not keep up with are dropped and counted.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::Receiver;

use parking_lot::Mutex;

use crate::deployment::Deployment;
use crate::deployments::ShadowRun;
use crate::lifecycle::Lifecycle;
use crate::queue::Outlet;
use crate::status::Compared;
use keyhole_log::model::Page;
use keyhole_log::{Identity, Log};

/// Samples that may wait, each with its page.
const WAITING: usize = 64;

/// Bytes of payloads that their pages may hold together.
const WAITING_BYTES: usize = 16 << 20;

/// A page that was served, to be compared.
pub(super) struct Sample {
    pub(super) page: Page,
    pub(super) deployment: Arc<Deployment>,
    /// The log's database when the page was served: another one has other events.
    pub(super) log: Identity,
    /// How often the deployment's scratch had been dropped then.
    pub(super) generation: u64,
    pub(super) with_reference: bool,
    pub(super) shadow: Option<Arc<ShadowRun>>,
}

/// Draws samples, has them wait to be compared, and counts what came of it.
pub(super) struct Samples {
    /// Unknown to everybody, so that no strategy can tell which pages will be compared.
    secret: RandomState,
    drawn: AtomicU64,
    reference_share: AtomicU64,
    outlet: Outlet<Sample>,
    waiting_bytes: AtomicUsize,
    /// What came of the comparison with the reference.
    pub(super) compared: Mutex<Compared>,
}

impl Samples {
    pub(super) fn new(reference_share: f64) -> (Self, Receiver<Sample>) {
        let (outlet, samples) = Outlet::new(WAITING);
        let sampling = Self {
            secret: RandomState::new(),
            drawn: AtomicU64::new(0),
            reference_share: AtomicU64::new(reference_share.to_bits()),
            outlet,
            waiting_bytes: AtomicUsize::new(0),
            compared: Mutex::default(),
        };
        (sampling, samples)
    }

    /// Says which share of the pages is compared with the reference from now on.
    pub(super) fn set_reference_share(&self, share: f64) {
        self.reference_share.store(share.to_bits(), Relaxed);
    }

    pub(super) fn reference_share(&self) -> f64 {
        f64::from_bits(self.reference_share.load(Relaxed))
    }

    /// Draws whether a page that was served is compared, and with whom.
    pub(super) fn draw(
        &self,
        lifecycle: &Lifecycle,
        deployment: &Arc<Deployment>,
        page: &Page,
        log: &Log,
    ) -> Option<Sample> {
        let (share, shadow) = (self.reference_share(), lifecycle.shadow());
        if share <= 0.0 && shadow.is_none() {
            return None;
        }
        let with_reference = self.hit(share);
        let shadow = shadow.as_ref().filter(|run| {
            let asks = !run.cancel.is_cancelled() && !Arc::ptr_eq(&run.deployment, deployment);
            asks && self.hit(run.figures.lock().share)
        });
        if !with_reference && shadow.is_none() {
            return None;
        }
        let (log, shadow) = (Identity::of(&log.database).ok()?, shadow.cloned());
        let generation = deployment.generation();
        let (page, deployment) = (page.clone(), Arc::clone(deployment));
        Some(Sample { page, deployment, log, generation, with_reference, shadow })
    }

    /// Lets a sample wait to be compared, or drops it.
    pub(super) fn put(&self, sample: Sample) {
        let (bytes, with_reference) = (payload_bytes(&sample), sample.with_reference);
        let shadow = sample.shadow.clone();
        let before = self.waiting_bytes.fetch_add(bytes, Relaxed);
        let room = before == 0 || before + bytes <= WAITING_BYTES;
        if room && self.outlet.send(sample).is_ok() {
            return;
        }
        self.waiting_bytes.fetch_sub(bytes, Relaxed);
        if with_reference {
            self.compared.lock().dropped += 1;
        }
        if let Some(run) = shadow {
            run.figures.lock().dropped += 1;
        }
    }

    /// A sample waits no longer.
    pub(super) fn took(&self, sample: &Sample) {
        self.waiting_bytes.fetch_sub(payload_bytes(sample), Relaxed);
    }

    /// Takes no more samples: the comparison ends.
    pub(super) fn close(&self) {
        self.outlet.close();
    }

    /// True for this share of the calls.
    fn hit(&self, share: f64) -> bool {
        if share <= 0.0 {
            return false;
        }
        let drawn = self.secret.hash_one(self.drawn.fetch_add(1, Relaxed)) >> 11;
        #[allow(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let place = drawn as f64 / (1_u64 << 53) as f64;
        place < share
    }
}

/// Bytes of payloads that a sample holds while it waits.
fn payload_bytes(sample: &Sample) -> usize {
    usize::try_from(sample.page.payload_bytes()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_drawn_as_often_as_it_says_and_differently_each_time() {
        let (one, other) = (Samples::new(0.0).0, Samples::new(0.0).0);
        let draws = |samples: &Samples, share| (0..100_000).map(|_| samples.hit(share)).collect::<Vec<_>>();
        for (share, least, most) in
            [(0.0, 0, 0), (0.01, 700, 1_300), (0.5, 49_000, 51_000), (1.0, 100_000, 100_000)]
        {
            let hits = draws(&one, share).into_iter().filter(|hit| *hit).count();
            assert!((least..=most).contains(&hits), "{hits} of {share}");
        }
        assert_ne!(draws(&one, 0.5), draws(&other, 0.5));
    }
}

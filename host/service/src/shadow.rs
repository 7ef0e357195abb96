//! Comparisons beside the service: a share of the pages that were served, asked again of the reference, and of
//! a candidate in shadow. Off the request's path, on idle priority, for the snapshot that the page was taken
//! from; what does not keep up is dropped and counted.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

use crate::log::Identity;
use crate::page::Page;
use crate::service::lane::Stop;
use crate::service::serving::Serving;
use crate::service::status::{Compared, Failure, ShadowState};

/// Samples that may wait, each with its page.
const WAITING: usize = 64;

/// Bytes of payloads that their pages may hold together.
const WAITING_BYTES: usize = 16 << 20;

/// A page that was served, to be compared.
pub(super) struct Sample {
    pub(super) page: Page,
    pub(super) serving: Arc<Serving>,
    /// The log's database when it was served: another one has other events.
    pub(super) log: Identity,
    pub(super) with_reference: bool,
    pub(super) shadow: Option<Arc<Run>>,
}

/// A candidate's time in shadow.
pub(super) struct Run {
    pub(super) name: String,
    pub(super) revision: u64,
    pub(super) serving: Arc<Serving>,
    pub(super) stop: Arc<Stop>,
    share: f64,
    requests: u64,
    compared: AtomicU64,
    non_empty: AtomicU64,
    dropped: AtomicU64,
    pub(super) undecided: AtomicU64,
}

/// What is sampled, and what waits to be compared.
pub(super) struct Samples {
    /// Unknown to everybody, so that no strategy can tell which pages will be compared.
    secret: RandomState,
    drawn: AtomicU64,
    reference_share: AtomicU64,
    shadow: ArcSwapOption<Run>,
    line: Mutex<Line>,
    arrived: Condvar,
    pub(super) counts: Counts,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Sample>,
    bytes: usize,
    over: bool,
}

/// What came of the comparison with the reference.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) equal: AtomicU64,
    pub(super) different: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) undecided: AtomicU64,
    pub(super) last: Mutex<Option<Failure>>,
}

impl Run {
    pub(super) fn new(
        serving: &Arc<Serving>,
        revision: u64,
        stop: &Arc<Stop>,
        share: f64,
        requests: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: serving.name.to_string(),
            revision,
            serving: Arc::clone(serving),
            stop: Arc::clone(stop),
            share,
            requests,
            compared: AtomicU64::new(0),
            non_empty: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            undecided: AtomicU64::new(0),
        })
    }

    pub(super) fn state(&self) -> ShadowState {
        ShadowState {
            share: self.share,
            requests: self.requests,
            compared: self.compared.load(Relaxed),
            non_empty: self.non_empty.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            undecided: self.undecided.load(Relaxed),
        }
    }

    /// Notes an equal page. True where it was the last one.
    pub(super) fn equal(&self, page: &Page) -> bool {
        self.non_empty.fetch_add(u64::from(!page.is_empty()), Relaxed);
        self.compared.fetch_add(1, Relaxed) + 1 >= self.requests
    }
}

impl Samples {
    pub(super) fn new(reference_share: f64) -> Self {
        let samples = Self {
            secret: RandomState::new(),
            drawn: AtomicU64::new(0),
            reference_share: AtomicU64::new(0),
            shadow: ArcSwapOption::empty(),
            line: Mutex::default(),
            arrived: Condvar::new(),
            counts: Counts::default(),
        };
        samples.set_reference_share(reference_share);
        samples
    }

    /// Which share of the pages is compared with the reference from now on.
    pub(super) fn set_reference_share(&self, share: f64) {
        self.reference_share.store(share.to_bits(), Relaxed);
    }

    /// Puts a candidate in the shadow, or takes it out.
    pub(super) fn set_shadow(&self, run: Option<Arc<Run>>) {
        self.shadow.store(run);
    }

    /// Whether this candidate is in the shadow.
    pub(super) fn is_in_shadow(&self, run: &Arc<Run>) -> bool {
        self.shadow.load().as_ref().is_some_and(|now| Arc::ptr_eq(now, run))
    }

    /// Takes this candidate out of the shadow, if it is there.
    pub(super) fn end_shadow(&self, run: &Arc<Run>) {
        let shadow = self.shadow.load();
        if shadow.as_ref().is_some_and(|now| Arc::ptr_eq(now, run)) {
            self.shadow.compare_and_swap(&*shadow, None);
        }
    }

    /// Draws whether a page that was served is compared, and with whom.
    pub(super) fn draw(&self, serving: &Arc<Serving>, page: &Page, log: &crate::log::Log) -> Option<Sample> {
        let share = f64::from_bits(self.reference_share.load(Relaxed));
        let shadow = self.shadow.load();
        if share <= 0.0 && shadow.is_none() {
            return None;
        }
        let with_reference = self.hit(share);
        let shadow = shadow
            .as_ref()
            .filter(|run| {
                !run.stop.is_stopped() && !Arc::ptr_eq(&run.serving, serving) && self.hit(run.share)
            })
            .map(Arc::clone);
        if !with_reference && shadow.is_none() {
            return None;
        }
        let log = Identity::of(&log.database).ok()?;
        Some(Sample { page: page.clone(), serving: Arc::clone(serving), log, with_reference, shadow })
    }

    /// Lets a sample wait for the lane, or drops it.
    pub(super) fn put(&self, sample: Sample) {
        let bytes = sample.page.payloads.len();
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let room = line.waiting.is_empty() || line.bytes + bytes <= WAITING_BYTES;
        if !line.over && line.waiting.len() < WAITING && room {
            line.bytes += bytes;
            line.waiting.push_back(sample);
            drop(line);
            self.arrived.notify_one();
            return;
        }
        drop(line);
        if sample.with_reference {
            self.counts.dropped.fetch_add(1, Relaxed);
        }
        if let Some(run) = &sample.shadow {
            run.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Sends the lane home.
    pub(super) fn leave(&self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.over = true;
        line.waiting.clear();
        drop(line);
        self.arrived.notify_all();
    }

    /// The figures of the comparison with the reference.
    pub(super) fn compared(&self, reference: &str) -> Compared {
        let last = self.counts.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Compared {
            reference: reference.to_owned(),
            share: f64::from_bits(self.reference_share.load(Relaxed)),
            equal: self.counts.equal.load(Relaxed),
            different: self.counts.different.load(Relaxed),
            dropped: self.counts.dropped.load(Relaxed),
            undecided: self.counts.undecided.load(Relaxed),
            last,
        }
    }

    pub(super) fn next(&self) -> Option<Sample> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if line.over {
                return None;
            }
            if let Some(sample) = line.waiting.pop_front() {
                line.bytes = line.bytes.saturating_sub(sample.page.payloads.len());
                return Some(sample);
            }
            line = self.arrived.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_drawn_as_often_as_it_says_and_differently_each_time() {
        let (one, other) = (Samples::new(0.0), Samples::new(0.0));
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

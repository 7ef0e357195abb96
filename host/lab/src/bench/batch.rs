//! One batch of a mix's requests, answered by one target's workers under the mix's load.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::arrivals::Arrivals;
use super::clock::Clock;
use super::histogram::Histograms;
use super::phases::Phases;
use super::plan::Load;
use keyhole_log::error::{Error, words};
use keyhole_log::model::{Page, PageRequest, Pager};
use keyhole_log::units::whole_nanos;

/// How often the watch hears of a long batch: often enough for a progress bar and for Ctrl-C.
const TICK: Duration = Duration::from_millis(200);

/// Turns a page into the bytes that a client would get, appended to the buffer.
pub(super) type Render<'a> = &'a (dyn Fn(&Page, &mut Vec<u8>) + Sync);

/// Which requests of a mix to answer. Places count on past the mix's end from its start.
pub(super) struct Batch<'a> {
    pub(super) requests: &'a [PageRequest],
    /// Place of the first request.
    pub(super) start: usize,
    /// How many are measured.
    pub(super) len: usize,
    /// How many of those before `start` each worker answers first, unmeasured: a new thread's first
    /// pages pay for its stack, its allocator and the caches that another target left behind.
    pub(super) lead_in: usize,
    /// Where the digest of each answer goes, by place in the mix; empty where nothing is measured.
    pub(super) digests: &'a [AtomicU64],
}

impl Batch<'_> {
    fn place(&self, index: usize) -> usize {
        (self.start + index) % self.requests.len()
    }

    fn lead_in(&self) -> impl Iterator<Item = usize> {
        let mix = self.requests.len();
        let back = self.lead_in.min(mix);
        (0..back).map(move |step| (self.start + mix - back + step) % mix)
    }
}

/// What a worker keeps from batch to batch.
pub(super) struct WorkerState {
    buffer: Vec<u8>,
    pub(super) times: Histograms,
    last_answer: Duration,
}

impl WorkerState {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self { buffer: Vec::new(), times: Histograms::new()?, last_answer: Duration::ZERO })
    }
}

/// Why a batch was given up.
pub(super) enum Stop {
    /// The pager failed at this place in the mix.
    Pager(usize, Error),
    /// The watch said so, or a thread did not start.
    Other(Error),
}

/// How a target's workers run.
pub(super) struct Workers<'a> {
    pub(super) load: Load,
    /// None for what has no pages to render.
    pub(super) render: Option<Render<'a>>,
    pub(super) clock: &'a dyn Clock,
}

/// When a batch ran.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ran {
    /// The first request's entry.
    pub(super) started: Duration,
    /// From there to the last answer.
    pub(super) wall: Duration,
}

impl Workers<'_> {
    /// Answers a batch. The states' times then are this batch's alone. `watch` hears how many requests
    /// have been taken.
    pub(super) fn run(
        &self,
        batch: &Batch<'_>,
        pagers: &mut [Box<dyn Pager>],
        states: &mut [WorkerState],
        watch: &mut dyn FnMut(usize) -> Result<(), Error>,
    ) -> Result<Ran, Stop> {
        let shift = Shift {
            run: self,
            batch,
            arrivals: Arrivals::new(batch.len, self.load),
            workers: pagers.len(),
            ready: AtomicUsize::new(0),
            opened: AtomicU64::new(CLOSED),
            stop: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            // Nothing is ever sent: the channel closes when the last worker leaves.
            let (present, all_left) = channel::<()>();
            let mut stopped = None;
            let mut workers = Vec::with_capacity(pagers.len());
            for (pager, state) in pagers.iter_mut().zip(&mut *states) {
                let (shift, present) = (&shift, present.clone());
                let worker = thread::Builder::new().name("bench".into()).spawn_scoped(scope, move || {
                    let _present = present;
                    let _alarm = StopOnPanic(&shift.stop);
                    let end = shift.work(pager.as_mut(), state);
                    shift.stop.fetch_or(end.is_err(), Ordering::Relaxed);
                    end
                });
                match worker {
                    Ok(worker) => workers.push(worker),
                    Err(error) => {
                        shift.stop.store(true, Ordering::Relaxed);
                        let what = format!("a bench worker did not start: {}", words(&error));
                        stopped = Some(Stop::Other(Error::Engine(what)));
                    }
                }
            }
            drop(present);
            while let Err(RecvTimeoutError::Timeout) = all_left.recv_timeout(TICK) {
                if let (None, Err(error)) = (&stopped, watch(shift.arrivals.taken())) {
                    shift.stop.store(true, Ordering::Relaxed);
                    stopped = Some(Stop::Other(error));
                }
            }
            for worker in workers {
                let end = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
                stopped = stopped.or(end.err());
            }
            stopped.map_or(Ok(()), Err)
        })?;
        let started = Duration::from_nanos(shift.opened.into_inner());
        let last = states.iter().map(|state| state.last_answer).max().unwrap_or_default();
        Ok(Ran { started, wall: last.saturating_sub(started) })
    }
}

const CLOSED: u64 = u64::MAX;

/// Where the workers of one batch meet.
struct Shift<'a> {
    run: &'a Workers<'a>,
    batch: &'a Batch<'a>,
    arrivals: Arrivals,
    workers: usize,
    ready: AtomicUsize,
    /// When the first request entered, in nanoseconds of the clock, or `CLOSED`.
    opened: AtomicU64,
    stop: AtomicBool,
}

impl Shift<'_> {
    fn work(&self, pager: &mut dyn Pager, state: &mut WorkerState) -> Result<(), Stop> {
        state.times.clear();
        state.last_answer = Duration::ZERO;
        for place in self.batch.lead_in() {
            let page = self.page(pager, place)?;
            self.render(&page, &mut state.buffer);
        }
        self.start_together();

        let clock = self.run.clock;
        let mut next = self.arrivals.take(clock, None, &self.stop);
        while let Some(ticket) = next {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let place = self.batch.place(ticket.index);
            let taken = clock.now();
            let page = self.page(pager, place)?;
            let paged = clock.now();
            self.render(&page, &mut state.buffer);
            let answered = clock.now();

            state.times.record(ticket.entered, taken, answered);
            state.times.phases.add(Phases::of(pager.phases(), ticket.entered, taken, paged, answered));
            state.times.non_empty += u64::from(!page.is_empty());
            state.last_answer = answered;
            if let Some(slot) = self.batch.digests.get(place) {
                slot.store(digest(place, &page), Ordering::Relaxed);
            }
            drop(page);
            next = self.arrivals.take(clock, Some(answered), &self.stop);
        }
        Ok(())
    }

    /// A page with an event that cannot be shown counts as an empty one, on every side.
    fn page(&self, pager: &mut dyn Pager, place: usize) -> Result<Page, Stop> {
        let request = &self.batch.requests[place];
        match pager.page(request).map_err(Error::unplaced) {
            Err(Error::BadCell { .. }) => Ok(Page::empty(request.clone(), 0)),
            answer => answer.map_err(|error| Stop::Pager(place, error)),
        }
    }

    fn render(&self, page: &Page, buffer: &mut Vec<u8>) {
        if let Some(render) = self.run.render {
            buffer.clear();
            render(page, buffer);
        }
    }

    /// Waits until every worker is ready; the last one lets the requests in. By turning, not by sleeping:
    /// waking up takes longer than a page.
    fn start_together(&self) {
        if self.ready.fetch_add(1, Ordering::AcqRel) + 1 == self.workers {
            let now = self.run.clock.now();
            self.arrivals.open(now);
            self.opened.store(whole_nanos(now).min(CLOSED - 1), Ordering::Release);
        }
        while self.opened.load(Ordering::Acquire) == CLOSED && !self.stop.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    }
}

/// Lets the others go home when a worker panics, instead of waiting for it for ever.
struct StopOnPanic<'a>(&'a AtomicBool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        self.0.fetch_or(thread::panicking(), Ordering::Relaxed);
    }
}

/// Sixty-four bits that tell answers apart: the place in the mix, then each id in order. Each step
/// is a bijection of the state, so pages that differ in one id never collide.
fn digest(place: usize, page: &Page) -> u64 {
    let mix = |state: u64, value: u64| (state ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    page.events().fold(mix(1, place as u64), |state, event| mix(state, event.id.cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::fakes::{event, request};

    #[test]
    fn a_digest_tells_ids_order_count_and_place_apart() {
        let of = |place: usize, ids: &[i64]| {
            let mut page = Page::empty(request(1), 9);
            for id in ids {
                page.push(event(*id));
            }
            digest(place, &page)
        };
        assert_eq!(of(3, &[5, 4]), of(3, &[5, 4]));
        for (place, ids) in [(3, &[4, 5][..]), (3, &[5]), (3, &[5, 4, 3]), (3, &[5, 3]), (2, &[5, 4])] {
            assert_ne!(of(place, ids), of(3, &[5, 4]), "{place} {ids:?}");
        }
        assert_ne!(of(0, &[]), of(0, &[0]));
    }
}

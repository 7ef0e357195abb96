//! The proof that two strategies answer alike on a log: every stream, every walk, and pages that are taken
//! while another process appends.

use std::sync::atomic::{AtomicU64, Ordering};

use super::sides::Sides;
use super::{Checker, Names, Report, StreamReport, live, walks, whole, whole_walks};
use crate::streams::{self, Stream};
use keyhole_log::Log;
use keyhole_log::dataset::copy::{Appender, TemporaryCopy};
use keyhole_log::dataset::generator;
use keyhole_log::error::Error;
use keyhole_log::survey::ordered::Ordered;
use keyhole_log::survey::profile::Profile;
use keyhole_runtime::page::Worker;

/// Events of the copy that is appended to.
const COPIED: u64 = 50_000;

/// Batches appended to the copy, events in each, and requests asked after each.
const BATCHES: u32 = 40;
const BATCH_EVENTS: u32 = 25;
const REQUESTS_A_BATCH: usize = 8;

/// A strategy, its reference, and how they are run.
pub struct Comparison<'a> {
    /// What both are called, and what else has to be said to repeat a request.
    pub names: Names<'a>,
    /// Makes a worker of the strategy of that name on a log.
    pub worker: &'a (dyn Fn(&str, &Log) -> Result<Worker, Error> + Sync),
    /// Hears how many requests, walks and ranges are done, of how many; from several threads.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Comparison<'_> {
    /// All streams of so many requests each, walks, and pages taken while another process appends. Walks and
    /// streams run side by side: each has workers of its own. A log that is too large to be walked by OFFSET is
    /// walked by cursor against one ordered scan.
    pub fn prove(&self, log: &Log, seed: u64, requests: usize) -> Result<Report, Error> {
        let profile = Profile::of(log, generator::now_of)?;
        let streams = [
            streams::contract(&profile, seed, requests),
            streams::dense(&profile, seed, requests),
            streams::edges(&profile, seed, requests),
        ];
        let (walks, wholes) = (walks(&profile), whole_walks(&profile));
        let requests: usize = streams.iter().map(|stream| stream.requests.len()).sum();
        let lists: usize = walks.iter().map(|stream| stream.walks.len()).sum();
        let ranges = if wholes.is_empty() { 0 } else { Ordered::ranges(profile.rows) };
        let total = self.total(requests + lists + usize::try_from(ranges).unwrap_or(0));
        let (streamed, walked, whole) = std::thread::scope(|scope| {
            let walked = scope.spawn(|| self.check(log, &total, |checker| checker.verify(&[], &walks)));
            let whole = (!wholes.is_empty()).then(|| {
                scope.spawn(|| {
                    let mut scan = Ordered::open(log)?;
                    self.check(log, &total, |checker| whole(checker, &wholes, &mut scan, ranges))
                })
            });
            let streamed = self.check(log, &total, |checker| checker.verify(&streams, &[]));
            (streamed, walked.join(), whole.map(std::thread::ScopedJoinHandle::join).transpose())
        });
        let panicked = |_| Error::Engine("a thread of the comparison panicked".to_owned());
        let mut reports = streamed?.streams;
        reports.extend(walked.map_err(panicked)??.streams);
        reports.extend(whole.map_err(panicked)?.transpose()?);
        reports.push(self.appending(log, &profile, seed)?);
        Ok(Report::of(self.names, reports))
    }

    /// These requests only.
    pub fn over(&self, log: &Log, stream: Stream) -> Result<Report, Error> {
        let total = self.total(stream.requests.len());
        self.check(log, &total, |checker| checker.verify(&[stream], &[]))
    }

    /// On a copy, since the log itself is never written to.
    fn appending(&self, log: &Log, profile: &Profile, seed: u64) -> Result<StreamReport, Error> {
        let copy = TemporaryCopy::of(log, COPIED)?;
        let on_copy = Profile::of(&copy.log, generator::now_of)?;
        let mut requests = streams::dense(&on_copy, seed, 100).requests;
        requests.extend(streams::contract(profile, seed, 100).requests);
        let edges = streams::edges(&on_copy, seed, 120).requests;
        requests.extend(edges.into_iter().filter(|request| request.up_to.is_none()));
        let total = self.total(requests.len());
        let mut appender = Appender::start(&copy.data())?;
        let mut batches = 0;
        self.check(&copy.log, &total, |checker| {
            live(checker, &requests, REQUESTS_A_BATCH, &mut || {
                batches += 1;
                appender.append(BATCH_EVENTS)?;
                Ok(batches < BATCHES)
            })
        })
    }

    /// Runs a comparison with workers of its own.
    fn check<T>(
        &self,
        log: &Log,
        total: &Total<'_>,
        run: impl FnOnce(&mut Checker<'_, '_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut subject = (self.worker)(self.names.subject, log)?;
        let mut reference = (self.worker)(self.names.reference, log)?;
        let mut before = (String::new(), 0);
        let mut progress = |stream: &str, done: u64, _: u64| {
            if before.0 != stream {
                before = (stream.to_owned(), 0);
            }
            total.add(done.saturating_sub(before.1));
            before.1 = done;
            keyhole_log::interrupt::check()
        };
        run(&mut Checker {
            sides: Sides { subject: &mut subject, reference: &mut reference },
            names: self.names,
            count_on: false,
            progress: &mut progress,
        })
    }

    fn total(&self, all: usize) -> Total<'_> {
        Total { progress: self.progress, done: AtomicU64::new(0), all: all as u64 }
    }
}

/// How far all threads of a comparison have come together.
struct Total<'a> {
    progress: &'a (dyn Fn(u64, u64) + Sync),
    done: AtomicU64,
    all: u64,
}

impl Total<'_> {
    fn add(&self, more: u64) {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        (self.progress)(done, self.all);
    }
}

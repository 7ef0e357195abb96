//! `verify`: proves that two strategies give the same answers.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cli::VerifyArgs;
use crate::commands::Setup;
use crate::commands::progress::Bar;
use crate::contract::copy::{Appender, copy};
use crate::contract::{Stream, streams};
use crate::error::Error;
use crate::log::Log;
use crate::log::ordered::Ordered;
use crate::log::profile::Profile;
use crate::page::parse;
use crate::strategy::Instances;
use crate::verify::sides::Sides;
use crate::verify::verdict::StreamReport;
use crate::verify::{Checker, Names, Report, live, render, walks, whole, whole_walks};

/// Events of the copy that is appended to.
const COPIED: u64 = 50_000;

/// Batches appended to the copy, events in each, and requests asked after each.
const BATCHES: u32 = 40;
const BATCH_EVENTS: u32 = 25;
const REQUESTS_A_BATCH: usize = 8;

/// Runs the verb.
pub fn run(setup: &Setup, args: &VerifyArgs) -> Result<u8, Error> {
    let log = setup.log()?;
    let comparison = Comparison::new(setup, args);
    let report = match &args.queries {
        Some(path) => comparison.over(&log, Stream { name: "queries", requests: read_queries(path)? })?,
        None => comparison.prove(&log)?,
    };
    let verdict = if report.equal { "equal to" } else { "differs from" };
    setup.record_verdict(
        &args.strategy,
        None,
        format!("verify: {verdict} {} on {} pages", args.reference, report.pages),
    )?;
    let mut output = setup.output()?;
    if setup.common.json {
        output.json(&report)?;
    } else {
        output.write(render(&report).as_bytes())?;
    }
    output.flush()?;
    Ok(u8::from(!report.equal))
}

/// A strategy, its reference, and how they are run.
pub struct Comparison<'a> {
    setup: &'a Setup,
    args: &'a VerifyArgs,
    /// What else has to be said to repeat a request.
    options: Vec<String>,
}

impl<'a> Comparison<'a> {
    /// Nothing is compared yet.
    pub fn new(setup: &'a Setup, args: &'a VerifyArgs) -> Self {
        let mut options = vec!["--data".to_owned(), setup.common.data.display().to_string()];
        if setup.common.instances != Instances::Fresh {
            options.extend(["--instances".to_owned(), setup.common.instances.to_string()]);
        }
        Self { setup, args, options }
    }

    /// All streams, walks, and pages taken while another process appends. Walks and streams run side
    /// by side: each has workers of its own. A log that is too large to be walked by OFFSET is walked by cursor
    /// against one ordered scan.
    pub fn prove(&self, log: &Log) -> Result<Report, Error> {
        let VerifyArgs { seed, requests, .. } = *self.args;
        let profile = self.setup.profile(log)?;
        let streams = [
            streams::contract(&profile, seed, requests),
            streams::dense(&profile, seed, requests),
            streams::edges(&profile, seed, requests),
        ];
        let (walks, wholes) = (walks(&profile), whole_walks(&profile));
        let requests: usize = streams.iter().map(|stream| stream.requests.len()).sum();
        let lists: usize = walks.iter().map(|stream| stream.walks.len()).sum();
        let ranges = if wholes.is_empty() { 0 } else { Ordered::ranges(profile.rows) };
        let total = Total::new(self.setup, requests + lists + usize::try_from(ranges).unwrap_or(0));
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
        drop(total);
        reports.push(self.appending(log, &profile)?);
        Ok(Report::of(self.names(), reports))
    }

    /// These requests only.
    fn over(&self, log: &Log, stream: Stream) -> Result<Report, Error> {
        let total = Total::new(self.setup, stream.requests.len());
        self.check(log, &total, |checker| checker.verify(&[stream], &[]))
    }

    /// On a copy, since the log itself is never written to.
    fn appending(&self, log: &Log, profile: &Profile) -> Result<StreamReport, Error> {
        let seed = self.args.seed;
        let folder = tempfile::Builder::new()
            .prefix("keyhole-verify-")
            .tempdir()
            .map_err(|source| Error::io(std::env::temp_dir(), source))?;
        copy(log, folder.path(), COPIED)?;
        let copied = Log::open(folder.path())?;
        let on_copy = self.setup.profile(&copied)?;
        let mut requests = streams::dense(&on_copy, seed, 100).requests;
        requests.extend(streams::contract(profile, seed, 100).requests);
        let edges = streams::edges(&on_copy, seed, 120).requests;
        requests.extend(edges.into_iter().filter(|request| request.up_to.is_none()));
        let total = Total::new(self.setup, requests.len());
        let mut appender = Appender::start(folder.path())?;
        let mut batches = 0;
        self.check(&copied, &total, |checker| {
            live(checker, &requests, REQUESTS_A_BATCH, &mut || {
                batches += 1;
                appender.append(BATCH_EVENTS)?;
                Ok(batches < BATCHES)
            })
        })
    }

    fn names(&self) -> Names<'_> {
        Names { subject: &self.args.strategy, reference: &self.args.reference, options: &self.options }
    }

    /// Runs a comparison with workers of its own.
    fn check<T>(
        &self,
        log: &Log,
        total: &Total,
        run: impl FnOnce(&mut Checker<'_, '_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let worker = |name: &str| {
            self.setup
                .strategy(name)
                .and_then(|strategy| self.setup.worker(&strategy, self.setup.common.instances, log))
        };
        let (mut subject, mut reference) = (worker(&self.args.strategy)?, worker(&self.args.reference)?);
        let mut before = (String::new(), 0);
        let mut progress = |stream: &str, done: u64, _: u64| {
            if before.0 != stream {
                before = (stream.to_owned(), 0);
            }
            total.add(done.saturating_sub(before.1));
            before.1 = done;
            crate::interrupt::check()
        };
        run(&mut Checker {
            sides: Sides { subject: &mut subject, reference: &mut reference },
            names: self.names(),
            count_on: false,
            progress: &mut progress,
        })
    }
}

/// How far all comparisons have come together.
struct Total {
    bar: Bar,
    done: AtomicU64,
    all: u64,
}

impl Total {
    fn new(setup: &Setup, all: usize) -> Self {
        Self { bar: Bar::new(&setup.common, "comparing"), done: AtomicU64::new(0), all: all as u64 }
    }

    fn add(&self, more: u64) {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        self.bar.at(done, self.all);
    }
}

fn read_queries(path: &std::path::Path) -> Result<Vec<crate::page::PageRequest>, Error> {
    let lines: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|source| Error::io(path, source))?))
    };
    let mut requests = Vec::new();
    for (line, number) in lines.lines().zip(1u64..) {
        let line = line.map_err(|source| Error::io(path, source).during(format!("line {number}")))?;
        if !line.trim().is_empty() {
            let request = parse::request(&line, None)
                .map_err(|error| error.during(format!("line {number} of {}", path.display())))?;
            requests.push(request);
        }
    }
    Ok(requests)
}

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
use crate::log::profile::Profile;
use crate::page::parse;
use crate::verify::sides::Sides;
use crate::verify::verdict::StreamReport;
use crate::verify::{Checker, Names, Report, live, render, walks};

/// Events of the copy that is appended to.
const COPIED: u64 = 50_000;

/// Batches appended to the copy, events in each, and requests asked after each.
const BATCHES: u32 = 40;
const BATCH_EVENTS: u32 = 25;
const REQUESTS_A_BATCH: usize = 8;

/// Runs the verb.
pub fn run(setup: &Setup, args: &VerifyArgs) -> Result<u8, Error> {
    let log = setup.log()?;
    let report = match &args.queries {
        Some(path) => {
            let requests = read_queries(path)?;
            let stream = Stream { name: "queries", requests };
            let total = Total::new(setup, stream.requests.len());
            let report = check(setup, args, &log, &total, |checker| checker.verify(&[stream], &[]))?;
            Report::of(names(args), report.streams)
        }
        None => prove(setup, args, &log)?,
    };
    let mut output = setup.output()?;
    if setup.common.json {
        output.json(&report)?;
    } else {
        output.write(render(&report).as_bytes())?;
    }
    output.flush()?;
    Ok(u8::from(!report.equal))
}

/// All streams, walks, and pages taken while another process appends. Walks and streams run side by
/// side: each has workers of its own.
pub fn prove(setup: &Setup, args: &VerifyArgs, log: &Log) -> Result<Report, Error> {
    let profile = setup.profile(log)?;
    let streams = [
        streams::contract(&profile, args.seed, args.requests),
        streams::dense(&profile, args.seed, args.requests),
        streams::edges(&profile, args.seed, args.requests),
    ];
    let walks = walks(&profile);
    let requests: usize = streams.iter().map(|stream| stream.requests.len()).sum();
    let lists: usize = walks.iter().map(|stream| stream.walks.len()).sum();
    let total = Total::new(setup, requests + lists);
    let (streamed, walked) = std::thread::scope(|scope| {
        let walked = scope.spawn(|| check(setup, args, log, &total, |checker| checker.verify(&[], &walks)));
        let streamed = check(setup, args, log, &total, |checker| checker.verify(&streams, &[]));
        (streamed, walked.join())
    });
    let walked = walked.map_err(|_| Error::Engine("a thread of the comparison panicked".to_owned()))?;
    let mut reports = streamed?.streams;
    reports.extend(walked?.streams);
    drop(total);
    reports.push(appending(setup, args, log, &profile)?);
    Ok(Report::of(names(args), reports))
}

fn names(args: &VerifyArgs) -> Names<'_> {
    Names { subject: &args.strategy, reference: &args.reference }
}

/// On a copy, since the log itself is never written to.
fn appending(setup: &Setup, args: &VerifyArgs, log: &Log, profile: &Profile) -> Result<StreamReport, Error> {
    let folder = tempfile::Builder::new()
        .prefix("keyhole-verify-")
        .tempdir()
        .map_err(|source| Error::io(std::env::temp_dir(), source))?;
    copy(log, folder.path(), COPIED)?;
    let copied = Log::open(folder.path())?;
    let on_copy = setup.profile(&copied)?;
    let mut requests = streams::dense(&on_copy, args.seed, 100).requests;
    requests.extend(streams::contract(profile, args.seed, 100).requests);
    let edges = streams::edges(&on_copy, args.seed, 120).requests;
    requests.extend(edges.into_iter().filter(|request| request.up_to.is_none()));
    let total = Total::new(setup, requests.len());
    let mut appender = Appender::start(folder.path())?;
    let mut batches = 0;
    check(setup, args, &copied, &total, |checker| {
        live(checker, &requests, REQUESTS_A_BATCH, &mut || {
            batches += 1;
            appender.append(BATCH_EVENTS)?;
            Ok(batches < BATCHES)
        })
    })
}

/// Runs a comparison with workers of its own.
fn check<T>(
    setup: &Setup,
    args: &VerifyArgs,
    log: &Log,
    total: &Total,
    run: impl FnOnce(&mut Checker<'_, '_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (subject, reference) = (setup.strategy(&args.strategy)?, setup.strategy(&args.reference)?);
    let mut subject = setup.worker(&subject, setup.common.instances, log)?;
    let mut reference = setup.worker(&reference, setup.common.instances, log)?;
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
        names: names(args),
        count_on: false,
        progress: &mut progress,
    })
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

//! `verify`: proves that two strategies give the same answers.

use std::fs::File;
use std::io::{BufRead, BufReader};

use crate::cli::VerifyArgs;
use crate::commands::Setup;
use crate::commands::progress::Bar;
use crate::contract::{Stream, streams};
use crate::error::Error;
use crate::log::copy::{Appender, copy};
use crate::log::profile::Profile;
use crate::log::Log;
use crate::page::parse;
use crate::verify::verdict::StreamReport;
use crate::verify::{Checker, Names, Report, live, render, walks};
use crate::verify::sides::Sides;

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
            against(setup, args, &log, &[Stream { name: "queries", requests }], false)?
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

/// All streams, walks, and pages taken while another process appends.
pub fn prove(setup: &Setup, args: &VerifyArgs, log: &Log) -> Result<Report, Error> {
    let profile = setup.profile(log)?;
    let drawn = [
        streams::contract(&profile, args.seed, args.requests),
        streams::dense(&profile, args.seed, args.requests),
        streams::edges(&profile, args.seed, args.requests),
    ];
    let report = against(setup, args, log, &drawn, true)?;
    let mut streams = report.streams;
    streams.push(appending(setup, args, log, &profile)?);
    Ok(Report::of(names(args), streams))
}

fn names(args: &VerifyArgs) -> Names<'_> {
    Names { subject: &args.strategy, reference: &args.reference }
}

fn against(setup: &Setup, args: &VerifyArgs, log: &Log, streams: &[Stream], walk: bool) -> Result<Report, Error> {
    let walks = if walk { walks(&setup.profile(log)?) } else { Vec::new() };
    with_checker(setup, args, log, |checker| checker.verify(streams, &walks))
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
    requests.extend(streams::edges(&on_copy, args.seed, 120).requests.into_iter().filter(|request| request.up_to.is_none()));
    let mut appender = Appender::start(folder.path())?;
    let mut batches = 0;
    with_checker(setup, args, &copied, |checker| {
        live(checker, &requests, REQUESTS_A_BATCH, &mut || {
            batches += 1;
            appender.append(BATCH_EVENTS)?;
            Ok(batches < BATCHES)
        })
    })
}

fn with_checker<T>(
    setup: &Setup,
    args: &VerifyArgs,
    log: &Log,
    run: impl FnOnce(&mut Checker<'_, '_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (subject, reference) = (setup.strategy(&args.strategy)?, setup.strategy(&args.reference)?);
    let mut subject = setup.worker(&subject, setup.common.instances, log)?;
    let mut reference = setup.worker(&reference, setup.common.instances, log)?;
    let mut bar: Option<(String, Bar)> = None;
    let mut progress = |stream: &str, done: u64, all: u64| {
        if bar.as_ref().is_none_or(|(name, _)| name != stream) {
            bar = Some((stream.to_owned(), Bar::new(&setup.common, format!("comparing: {stream}"))));
        }
        if let Some((_, bar)) = &bar {
            bar.at(done, all);
        }
        crate::interrupt::check()
    };
    run(&mut Checker {
        sides: Sides { subject: &mut subject, reference: &mut reference },
        names: names(args),
        count_on: false,
        progress: &mut progress,
    })
}

fn read_queries(path: &std::path::Path) -> Result<Vec<crate::page::PageRequest>, Error> {
    let lines: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|source| Error::io(path, source))?))
    };
    let mut requests = Vec::new();
    for (line, number) in lines.lines().zip(1u64..) {
        let line = line.map_err(|source| Error::io(path, source))?;
        if !line.trim().is_empty() {
            let request = parse::request(&line, None)
                .map_err(|error| error.during(format!("line {number} of {}", path.display())))?;
            requests.push(request);
        }
    }
    Ok(requests)
}

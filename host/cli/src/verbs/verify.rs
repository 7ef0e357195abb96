//! `verify`: proves that two strategies give the same answers.

use std::path::PathBuf;

use crate::verbs::output::Output;
use crate::verbs::progress::Progress;
use crate::verbs::{Setup, page};
use keyhole_log::Log;
use keyhole_log::dataset::generator;
use keyhole_log::error::Error;
use keyhole_log::grants::Instances;
use keyhole_log::survey::spans;
use keyhole_proof::streams::Stream;
use keyhole_proof::verify::{Comparison, Names, Report, render};
use keyhole_runtime::page::Worker;

/// Options of `verify`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The strategy to be judged.
    #[arg(default_value = "keyset")]
    pub strategy: String,
    /// The strategy that it must equal.
    #[arg(long, default_value = "baseline", value_name = "STRATEGY")]
    pub reference: String,
    /// Requests of each stream.
    #[arg(long, default_value_t = 1000, conflicts_with = "queries", value_name = "N")]
    pub requests: usize,
    /// Compare on these requests only (JSON Lines; - is standard input).
    #[arg(long, value_name = "FILE")]
    pub queries: Option<PathBuf>,
    /// The seed that the requests are drawn with.
    #[arg(long, default_value_t = generator::SEED, value_name = "S")]
    pub seed: u64,
}

/// Violations of the log that are named.
const SHOWN_VIOLATIONS: usize = 20;

/// Runs the verb: 0 if the strategies are equal, 1 if they differ, or the log itself is wrong.
pub fn run(setup: &Setup, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let log = setup.log()?;
    let names = (args.strategy.as_str(), args.reference.as_str());
    let spans = spans::violations(&log, SHOWN_VIOLATIONS)?;
    let compared = compare(setup, names, |comparison| match &args.queries {
        Some(path) => {
            let mut requests = Vec::new();
            page::each_query(path, None, |request| {
                requests.push(request);
                Ok(())
            })?;
            comparison.over(&log, Stream { name: "queries", requests })
        }
        None => comparison.prove(&log, args.seed, args.requests),
    });
    if compared.is_err() {
        // What is wrong with the log may be why.
        for violation in &spans {
            setup.remark(&violation.to_string());
        }
    }
    let report = Report { spans, ..compared? };
    let verdict = if report.equal { "equal to" } else { "differs from" };
    let reason = format!("verify: {verdict} {} on {} pages", args.reference, report.pages);
    setup.record_verdict(&args.strategy, None, reason)?;
    output.show(&report, || render(&report))?;
    Ok(u8::from(!report.is_sound()))
}

/// Compares two strategies, the first one judged by the second, and says how far it is.
pub(super) fn compare(
    setup: &Setup,
    (subject, reference): (&str, &str),
    run: impl FnOnce(&Comparison<'_>) -> Result<Report, Error>,
) -> Result<Report, Error> {
    let instances = setup.common.instances;
    let mut options = vec!["--data".to_owned(), setup.common.data.display().to_string()];
    if instances != Instances::Fresh {
        options.extend(["--instances".to_owned(), instances.to_string()]);
    }
    let bar = Progress::new(&setup.common, format!("comparing {subject} with {reference}"));
    run(&Comparison {
        names: Names { subject, reference, options: &options },
        worker: &|name: &str, log: &Log| {
            setup.worker(&setup.strategy(name)?, instances, log).map(Worker::for_comparison)
        },
        progress: &|done, all| bar.at(done, all),
    })
}

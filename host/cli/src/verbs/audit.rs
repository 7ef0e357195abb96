//! `audit`: the truth about a strategy on one screen.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::args::at_least_one;
use crate::report::views;
use crate::verbs::output::Output;
use crate::verbs::progress::Progress;
use crate::verbs::{Setup, document, version};
use keyhole_lab::audit::facts::{Audit, Severity};
use keyhole_lab::audit::{self, Candidate, Options, Program};
use keyhole_log::dataset::generator;
use keyhole_log::error::Error;

/// Options of `audit`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A built-in strategy, one of the policy, or a component file.
    pub strategy: String,
    /// How the audit is made.
    #[command(flatten)]
    pub effort: Effort,
    /// Exit with 1 on a finding of this severity or above.
    #[arg(long, default_value = "high", value_parser = severity(), value_name = "SEVERITY")]
    pub fail_on: Severity,
    /// Write the report as a page of HTML, too.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// How an audit is made.
#[derive(clap::Args, Clone, Debug)]
pub struct Effort {
    /// The strategy that it must equal.
    #[arg(long, default_value = "native-baseline", value_name = "STRATEGY")]
    pub reference: String,
    /// Requests of each stream at most; fewer where time does not allow as many.
    #[arg(long, default_value_t = 1000, value_parser = at_least_one, value_name = "N")]
    pub requests: usize,
    /// The seed that the requests are drawn with.
    #[arg(long, default_value_t = generator::SEED, value_name = "S")]
    pub seed: u64,
    /// How long answers are compared at most; everything else takes about as long again.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "N")]
    pub seconds: u64,
    /// Run on time that nobody else wants, or like everything else, where nothing serves beside it.
    #[arg(long, default_value = "idle", value_name = "PRIORITY")]
    pub priority: Priority,
}

/// Which threads an audit gives way to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Priority {
    /// All others.
    Idle,
    /// None.
    Normal,
}

/// Reads a severity by its name.
fn severity() -> impl TypedValueParser<Value = Severity> {
    let named = [
        (Severity::Low, "Good to know"),
        (Severity::Medium, "Worth a decision"),
        (Severity::High, "Speaks against letting it serve"),
    ];
    let values = named.map(|(severity, help)| PossibleValue::new(severity.name()).help(help));
    PossibleValuesParser::from(values).try_map(move |name| {
        let found = named.into_iter().find(|(severity, _)| severity.name() == name);
        found.map(|(severity, _)| severity).ok_or("no such severity")
    })
}

/// Runs the verb: 0 if nothing as grave as --fail-on was found and nothing is wrong with the log, 1 otherwise.
pub fn run(setup: &Setup, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let audit = audit(setup, &args.strategy, None, &args.effort)?;
    document::show(output, &setup.common, &views::audit::document(&audit), &audit)?;
    let is_found = audit.findings.iter().any(|finding| finding.severity >= args.fail_on);
    Ok(u8::from(is_found || !audit.log.violations.is_empty()))
}

/// Audits a strategy, and records the verdict.
pub(super) fn audit(
    setup: &Setup,
    strategy: &str,
    candidate: Option<Candidate<'_>>,
    effort: &Effort,
) -> Result<Audit, Error> {
    let options = Options {
        strategy,
        candidate,
        reference: &effort.reference,
        requests: effort.requests,
        seed: effort.seed,
        comparing: Duration::from_secs(effort.seconds),
        idle: effort.priority == Priority::Idle,
        instances: setup.common.instances,
        policy: &setup.policy,
        data: &setup.common.data,
        cache: setup.cache(),
        state: setup.state(),
        versions: version::versions(),
    };
    let called = candidate.map_or(strategy, |candidate| candidate.file);
    let bar = Progress::new(&setup.common, format!("auditing {called}"));
    let program = Program {
        engine: &setup.engine,
        load: &|name| setup.strategy(name),
        remark: &|words| setup.remark(words),
        stage: &|what| bar.stage(what),
        progress: &|done, all| bar.at(done, all),
    };
    let audit = audit::run(&options, &program)?;
    let codes: Vec<&str> = audit.findings.iter().map(|finding| finding.code.as_str()).collect();
    let found = if codes.is_empty() { "nothing found".to_owned() } else { codes.join(", ") };
    let verdict = format!("audit: {}: {found}", audit.verdict.words());
    setup.record_verdict(&audit.strategy.name, audit.strategy.digest.as_deref(), verdict)?;
    Ok(audit)
}

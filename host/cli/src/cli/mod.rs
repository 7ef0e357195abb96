//! The command line: what may be said, and what it means when it is not said.

mod bench;
mod scratch;
mod serve;
mod strategy;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::audit::facts::Severity;
use crate::contract::dataset;
use crate::decisions::Head;
use crate::strategy::Instances;

pub use bench::{BenchArgs, ReportArgs};
pub use scratch::ScratchVerb;
pub use serve::ServeArgs;
pub use strategy::{StrategyArgs, StrategyVerb};

/// Hosts query strategies as sandboxed WebAssembly components over an audit log.
///
/// Without a verb it does the main job: makes the log if there is none, proves that the sandboxed
/// strategies answer alike, measures them side by side, and prints the comparison.
#[derive(Parser, Debug)]
#[command(name = "keyhole", version, disable_version_flag = true, max_term_width = 100)]
pub struct Cli {
    /// What to do; `demo` if nothing is said.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// What goes with every verb.
    #[command(flatten)]
    pub common: Common,
    /// Print the version, with those of wasmtime, SQLite and the WIT package.
    #[arg(long, short = 'V')]
    pub version: bool,
}

/// What goes with every verb.
#[derive(Args, Debug, Clone)]
pub struct Common {
    /// The log's folder: audit.db and payloads.jsonl. It is only read.
    #[arg(long, global = true, env = "KEYHOLE_DATA", default_value = "data", value_name = "DIR")]
    pub data: PathBuf,
    /// What strategies are granted, as TOML; without it, local verbs grant the project's interfaces.
    #[arg(long, global = true, env = "KEYHOLE_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Where the cursor key lies [default: the user's state folder].
    #[arg(long, global = true, env = "KEYHOLE_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Where scratch lies; may be deleted at any time [default: the user's cache folder].
    #[arg(long, global = true, env = "KEYHOLE_CACHE", value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// How long an instance of a strategy lives: one request, or up to USES of them.
    #[arg(long, global = true, default_value = "fresh", value_name = "fresh|warm[:USES]")]
    pub instances: Instances,
    /// Results as JSON on standard output, errors as JSON on standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// Write the results to this file instead of standard output.
    #[arg(long, global = true, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// No progress and no remarks on standard error.
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// The main job, on ./data, made if absent: verify, prove equal, benchmark, compare.
    Demo(DemoArgs),
    /// Answer one page request, or a stream of them as a conversation.
    Page(PageArgs),
    /// Serve pages over HTTP, and take orders about strategies on a socket.
    Serve(ServeArgs),
    /// Parse a strategy and say what it is, what it imports and whether it fits; runs nothing.
    Inspect(InspectArgs),
    /// Prove that two strategies give the same answers.
    Verify(VerifyArgs),
    /// Measure strategies side by side on the same requests.
    Bench(BenchArgs),
    /// Show what `bench --json` measured, as one page of HTML with plots, to --out.
    Report(ReportArgs),
    /// Make, check, show the policy, or let a strategy in by it.
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Tell the truth about a strategy: what it touches, whether it is right, what it costs.
    Audit(AuditArgs),
    /// Say what changes from one strategy to another: what an operator reads before an upgrade.
    Diff(DiffArgs),
    /// Show what was decided about strategies, or check that nobody changed that record.
    Decisions(DecisionsArgs),
    /// Tell a running service which strategy to stage, shadow, promote, roll back or let go.
    Strategy(StrategyArgs),
    /// Show what strategies keep in the cache folder, or let go of it.
    #[command(subcommand)]
    Scratch(ScratchVerb),
    /// Make the contract's data set.
    Seed(SeedArgs),
    /// Trip every limit on this machine: play hostile strategies and show what stopped each.
    Selftest(SelftestArgs),
    /// Plays attacks, for `selftest`.
    #[command(hide = true)]
    PlayAttacks,
    /// Appends to a copy of a log, for `verify`.
    #[command(hide = true)]
    AppendToCopy,
    /// Compiles a component from standard input, for every verb that loads one.
    #[command(hide = true)]
    CompileComponent(crate::loader::child::Orders),
    /// Runs one trial of an audit.
    #[command(hide = true)]
    AuditTrial(TrialArgs),
}

/// Options of `demo`.
#[derive(Args, Debug, Default)]
pub struct DemoArgs {
    /// Requests of each stream, for the proof and for the measurement.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub requests: usize,
}

/// Options of `diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// The strategy that is approved, or its saved audit.
    pub old: String,
    /// The strategy that is to take its place, or its saved audit.
    pub new: String,
    /// How those are audited that are no saved audits.
    #[command(flatten)]
    pub effort: Effort,
    /// Also write the comparison as a page of HTML that stands alone.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Options of `decisions`.
#[derive(Args, Debug)]
pub struct DecisionsArgs {
    /// What to do with the log.
    #[command(subcommand)]
    pub verb: DecisionsVerb,
}

/// The verbs of `decisions`.
#[derive(Subcommand, Debug)]
pub enum DecisionsVerb {
    /// Print the last decisions.
    Show {
        /// How many.
        #[arg(long, default_value_t = 50, value_name = "N")]
        last: usize,
    },
    /// Find any edit, cut, insertion or reordering, and print the head to keep elsewhere.
    Check {
        /// A head that was kept elsewhere: the log must still hold that record. May be said again.
        #[arg(long, value_name = "SEQ:HASH")]
        head: Vec<Head>,
    },
}

/// Options of `seed`.
#[derive(Args, Debug)]
pub struct SeedArgs {
    /// The data set's `now`: Unix seconds or RFC 3339.
    #[arg(long, value_parser = time, default_value_t = dataset::NOW, allow_negative_numbers = true, value_name = "T")]
    pub now: i64,
    /// How many events; rows beyond 50,000 go on drawing from the same generator.
    #[arg(long, default_value_t = dataset::ROWS, value_name = "N")]
    pub rows: u64,
    /// Shorter payload lines with the same columns, for logs of millions of events.
    #[arg(long)]
    pub short_payloads: bool,
}

/// Options of `page`.
#[derive(Args, Debug)]
pub struct PageArgs {
    /// A built-in strategy, one of the policy, or a component file.
    pub strategy: String,
    /// First second of the window [default: the beginning of time].
    #[arg(long, value_parser = time, allow_negative_numbers = true, value_name = "T", conflicts_with = "queries")]
    pub from: Option<i64>,
    /// Last second of the window [default: the end of time].
    #[arg(long, value_parser = time, allow_negative_numbers = true, value_name = "T", conflicts_with = "queries")]
    pub to: Option<i64>,
    /// Only this actor's events.
    #[arg(long, allow_negative_numbers = true, value_name = "N", conflicts_with = "queries")]
    pub actor: Option<i64>,
    /// Only events of this action.
    #[arg(long, value_name = "A", conflicts_with = "queries")]
    pub action: Option<String>,
    /// Page number, from 1 [default: 1].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N", conflicts_with_all = ["queries", "after"])]
    pub page: Option<u64>,
    /// Continue after the page whose `next` this is.
    #[arg(long, value_name = "CURSOR", conflicts_with = "queries")]
    pub after: Option<String>,
    /// Events on the page.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), default_value_t = 50, value_name = "N")]
    pub page_size: u32,
    /// Requests as JSON Lines, from a file or from standard input (-); each is answered before the
    /// next is read.
    #[arg(long, value_name = "FILE")]
    pub queries: Option<PathBuf>,
    /// Add what each request did: statements, plans, denials, costs, notes.
    #[arg(long)]
    pub ledger: bool,
}

/// What can be done with a policy.
#[derive(Subcommand, Debug)]
pub enum PolicyVerb {
    /// Write a policy with every key at its default; never overwrites.
    New {
        /// The file to make [default: that of --policy, or keyhole.toml].
        file: Option<PathBuf>,
    },
    /// Say everything that is wrong with a policy, and with the files that it names.
    Check {
        /// The policy [default: that of --policy].
        file: Option<PathBuf>,
    },
    /// Print the value of every key, where it comes from, and when a change is in effect.
    Show,
    /// Audit a strategy, show the verdict and the least stanza that covers what it used, and write it if you
    /// agree.
    Allow(AllowArgs),
}

/// Options of `policy allow`.
#[derive(Args, Debug)]
pub struct AllowArgs {
    /// The component.
    pub file: PathBuf,
    /// The name that it will have.
    #[arg(long = "as", value_name = "NAME")]
    pub name: String,
    /// Who approves it.
    #[arg(long, value_name = "WHO")]
    pub by: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Write it even if the audit calls it unfit. The decision log says so.
    #[arg(long)]
    pub despite_unfit: bool,
    /// How the audit is made.
    #[command(flatten)]
    pub effort: Effort,
}

/// Options of `inspect`.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// A built-in strategy, one of the policy, or a component file.
    pub strategy: String,
}

/// Options of `verify`.
#[derive(Args, Debug)]
pub struct VerifyArgs {
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
    #[arg(long, default_value_t = dataset::SEED, value_name = "S")]
    pub seed: u64,
}

/// Options of `audit`.
#[derive(Args, Debug)]
pub struct AuditArgs {
    /// A built-in strategy, one of the policy, or a component file.
    pub strategy: String,
    /// How the audit is made.
    #[command(flatten)]
    pub effort: Effort,
    /// Exit with 1 on a finding of this severity or above.
    #[arg(long, default_value = "high", value_name = "SEVERITY")]
    pub fail_on: Severity,
    /// Write the report as a page of HTML, too.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// How an audit is made.
#[derive(Args, Clone, Debug)]
pub struct Effort {
    /// The strategy that it must equal.
    #[arg(long, default_value = "native-baseline", value_name = "STRATEGY")]
    pub reference: String,
    /// Requests of each stream at most; fewer where time does not allow as many.
    #[arg(long, default_value_t = 1000, value_parser = at_least_one, value_name = "N")]
    pub requests: usize,
    /// The seed that the requests are drawn with.
    #[arg(long, default_value_t = dataset::SEED, value_name = "S")]
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

/// Options of a trial.
#[derive(Args, Debug)]
pub struct TrialArgs {
    /// A built-in strategy, or a component file.
    pub strategy: String,
    /// Where its scratch lies.
    #[arg(long, value_name = "DIR")]
    pub scratch: PathBuf,
}

/// Options of `selftest`.
#[derive(Args, Debug)]
pub struct SelftestArgs {
    /// One attack on each limit only.
    #[arg(long)]
    pub quick: bool,
}

/// A time: Unix seconds, or RFC 3339.
fn time(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| "neither Unix seconds nor an RFC 3339 time such as 2025-12-30T00:00:00Z".to_owned())?;
    Ok(time.as_second())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_unix_seconds_or_rfc_3339() {
        assert_eq!(time("-5"), Ok(-5));
        assert_eq!(time("1767052800"), Ok(1_767_052_800));
        assert_eq!(time("2025-12-30T00:00:00Z"), Ok(1_767_052_800));
        assert!(time("yesterday").is_err());
    }
}

//! The command line: its verbs, and what each of them calls.

use clap::{Parser, Subcommand};

use crate::args::Common;
use crate::verbs::{
    Setup, audit, bench, child, decisions, demo, diff, inspect, page, policy, report, scratch, seed,
    selftest, serve, strategy, verify, version,
};
use keyhole_log::error::Error;

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

/// The verbs.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// The main job, on ./data, made if absent: verify, prove equal, benchmark, compare.
    Demo(demo::Args),
    /// Answer one page request, or a stream of them as a conversation.
    Page(page::Args),
    /// Serve pages over HTTP, and take orders about strategies on a socket.
    Serve(serve::Args),
    /// Parse a strategy and say what it is, what it imports and whether it fits; runs nothing.
    Inspect(inspect::Args),
    /// Prove that two strategies give the same answers.
    Verify(verify::Args),
    /// Measure strategies side by side on the same requests.
    Bench(bench::Args),
    /// Show what `bench --json` measured, as one page of HTML with plots, to --out.
    Report(report::Args),
    /// Make, check, show the policy, or let a strategy in by it.
    #[command(subcommand)]
    Policy(policy::Verb),
    /// Tell the truth about a strategy: what it touches, whether it is right, what it costs.
    Audit(audit::Args),
    /// Say what changes from one strategy to another: what an operator reads before an upgrade.
    Diff(diff::Args),
    /// Show what was decided about strategies, or check that nobody changed that record.
    Decisions(decisions::Args),
    /// Tell a running service which strategy to stage, shadow, promote, roll back or let go.
    Strategy(strategy::Args),
    /// Show what strategies keep in the cache folder, or let go of it.
    #[command(subcommand)]
    Scratch(scratch::Verb),
    /// Make the contract's data set.
    Seed(seed::Args),
    /// Trip every limit on this machine: play hostile strategies and show what stopped each.
    Selftest(selftest::Args),
    /// What only this program itself says.
    #[command(flatten)]
    Child(child::Verb),
}

/// Runs a verb and returns the exit code.
pub fn run(cli: Cli) -> Result<u8, Error> {
    let Cli { verb, common, version } = cli;
    if version {
        return version::run(&common);
    }
    match verb.unwrap_or(Verb::Demo(demo::Args { requests: 1000 })) {
        Verb::Demo(args) => demo::run(&Setup::new(common)?, &args),
        Verb::Page(args) => page::run(&Setup::new(common)?, &args),
        Verb::Serve(args) => serve::run(common, &args),
        Verb::Inspect(args) => inspect::run(&common, &args),
        Verb::Verify(args) => verify::run(&Setup::new(common)?, &args),
        Verb::Bench(args) => bench::run(&Setup::new(common)?, &args),
        Verb::Report(args) => report::run(&common, &args),
        Verb::Policy(verb) => policy::run(&common, verb),
        Verb::Audit(args) => audit::run(&Setup::new(common)?, &args),
        Verb::Diff(args) => diff::run(common, &args),
        Verb::Decisions(args) => decisions::run(&common, &args),
        Verb::Strategy(args) => strategy::run(&common, args),
        Verb::Scratch(verb) => scratch::run(&common, verb),
        Verb::Seed(args) => seed::run(&common, &args),
        Verb::Selftest(args) => selftest::run(&common, &args),
        Verb::Child(verb) => child::run(common, verb),
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
}

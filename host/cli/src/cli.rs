//! The command line: its verbs, and what each of them calls.

use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::args::{Common, GLOBAL, without_empty_variables};
use crate::help::explained;
use crate::results::{Kind, Protected};
use crate::verbs::output::Output;
use crate::verbs::{
    Setup, audit, bench, child, decisions, demo, diff, inspect, page, policy, report, scratch, seed,
    selftest, serve, strategy, verify, version,
};
use keyhole_log::error::Error;
use keyhole_runtime::registry::is_path;

/// Hosts query strategies as sandboxed WebAssembly components over an audit log.
///
/// Without a verb it does the main job: makes the log if there is none, proves that the sandboxed
/// strategies answer alike, measures them side by side, and prints the comparison. That takes a minute or two on two
/// cores; standard error says how far it is.
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
    #[arg(long, short = 'V', help_heading = GLOBAL)]
    pub version: bool,
}

impl Cli {
    /// The command line of this process. An empty variable of the environment counts as one that is not set.
    pub fn read() -> Result<Self, clap::Error> {
        let mut command = explained(without_empty_variables(Self::command()));
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// The main job, on ./data, made if absent: verify, prove equal, benchmark, compare; a minute or two.
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

/// Runs a verb and returns the exit code. Where its result is to go is opened before, and all of it is put in place
/// after, if the verb ended well.
pub fn run(cli: Cli) -> Result<u8, Error> {
    let Cli { verb, common, version } = cli;
    let verb = match verb {
        _ if version => None,
        Some(Verb::Child(verb)) => return child::run(common, verb),
        Some(verb) => Some(verb),
        None => Some(Verb::Demo(demo::Args { requests: 1000 })),
    };
    let mut output = match &verb {
        Some(verb) => verb.output(&common)?,
        None => Output::open(&common, kind("--version", VERSIONS, common.json), Protected::of(&common, &[]))?,
    };
    let code = match verb {
        Some(verb) => verb.run(common, &mut output)?,
        None => version::run(&mut output)?,
    };
    output.finish()?;
    Ok(code)
}

/// What a file is known by that holds the versions.
const VERSIONS: &[&str] = &["keyhole", "sqlite", "wasmtime"];

/// What a file is known by that holds the figures of a benchmark.
const BENCH: &[&str] = &["mixes", "sweeps", "machine", "conditions", "settings"];

/// The kind of a result that is text, or with --json an object with these members.
fn kind(verb: &'static str, members: &'static [&'static str], json: bool) -> Kind {
    if json { Kind::Json(members) } else { Kind::Text(verb) }
}

impl Verb {
    /// The place of its results, opened.
    fn output(&self, common: &Common) -> Result<Output, Error> {
        let mut protected = Protected::of(common, &self.reads());
        let (html, folder) = match self {
            Self::Audit(args) => (args.html.as_deref(), None),
            Self::Diff(args) => (args.html.as_deref(), None),
            Self::Bench(args) => {
                args.beside.iter().for_each(|log| protected.log(log));
                (None, args.keep.as_deref())
            }
            _ => (None, None),
        };
        let output = Output::open(common, self.kind(common.json), protected)?;
        output.with_html(html)?.with_folder(folder, Kind::Json(BENCH))
    }

    /// What its result is, and by what a file is known to hold one.
    fn kind(&self, json: bool) -> Kind {
        let (name, members): (&'static str, &'static [&'static str]) = match self {
            Self::Page(_) => return Kind::Pages,
            Self::Report(_) if json => return Kind::JsonList(BENCH),
            Self::Report(_) => return Kind::Html,
            Self::Demo(_) => ("demo", &["data", "baseline_sources", "verify", "bench"]),
            Self::Serve(_) => ("serve", &["had", "finished", "cut", "connections_cut", "head"]),
            Self::Inspect(_) => ("inspect", &["strategy", "producers", "core_modules", "fit", "why_not"]),
            Self::Verify(_) => ("verify", &["subject", "reference", "streams", "equal"]),
            Self::Bench(_) => ("bench", BENCH),
            Self::Policy(policy::Verb::New { .. }) => ("policy new", &["made"]),
            Self::Policy(policy::Verb::Check { .. }) => ("policy check", &["policy", "sound", "sound_parts"]),
            Self::Policy(policy::Verb::Show) => ("policy show", &["policy", "digest", "keys"]),
            Self::Policy(policy::Verb::Allow(_)) => ("policy allow", &["strategy", "stanza", "written"]),
            Self::Audit(_) => ("audit", &["format", "verdict", "strategy", "may", "used", "findings"]),
            Self::Diff(_) => ("diff", &["format", "acceptable", "widens", "answers", "changes"]),
            Self::Decisions(args) => match args.verb {
                decisions::Verb::Show { .. } => ("decisions show", &["sound", "records"]),
                decisions::Verb::Check { .. } => ("decisions check", &["sound", "records", "faults"]),
            },
            Self::Strategy(args) => match args.verb {
                strategy::Verb::List => ("strategy list", &["list"]),
                strategy::Verb::Stage { .. } => ("strategy stage", &["staged"]),
                strategy::Verb::Shadow { .. } => ("strategy shadow", &["staged"]),
                strategy::Verb::Promote { .. } => ("strategy promote", &["swapped"]),
                strategy::Verb::Rollback => ("strategy rollback", &["swapped"]),
                strategy::Verb::Drain { .. } => ("strategy drain", &["drained"]),
                strategy::Verb::Pardon { .. } => ("strategy pardon", &["pardoned"]),
            },
            Self::Scratch(scratch::Verb::List) => ("scratch list", &["cache", "total", "scratch"]),
            Self::Scratch(scratch::Verb::Scrub { .. }) => ("scratch scrub", &["cache", "scratch"]),
            Self::Scratch(scratch::Verb::Drop { .. }) => ("scratch drop", &["cache", "dropped", "in_use"]),
            Self::Seed(_) => ("seed", &["rows", "now", "payload_digest", "rows_digest"]),
            Self::Selftest(_) => ("selftest", &["sound", "uncovered", "decorative"]),
            // They answer their parent, and have no result.
            Self::Child(_) => return Kind::Source,
        };
        kind(name, members, json)
    }

    /// The files that it reads besides log and policy.
    fn reads(&self) -> Vec<PathBuf> {
        let strategies = |names: &[&String]| -> Vec<PathBuf> {
            let bases = names.iter().map(|name| name.strip_suffix("-warm").unwrap_or(name));
            bases.filter(|name| is_path(name)).map(PathBuf::from).collect()
        };
        match self {
            Self::Page(args) => {
                strategies(&[&args.strategy]).into_iter().chain(args.queries.clone()).collect()
            }
            Self::Verify(args) => {
                let both = strategies(&[&args.strategy, &args.reference]);
                both.into_iter().chain(args.queries.clone()).collect()
            }
            Self::Bench(args) => strategies(&args.strategies.iter().collect::<Vec<_>>()),
            Self::Report(args) => args.results.clone(),
            Self::Inspect(args) => strategies(&[&args.strategy]),
            Self::Audit(args) => strategies(&[&args.strategy, &args.effort.reference]),
            Self::Diff(args) => {
                // Each is a saved audit, if its name says so, or a strategy.
                let saved = [&args.old, &args.new].map(PathBuf::from);
                saved.into_iter().chain(strategies(&[&args.effort.reference])).collect()
            }
            Self::Policy(policy::Verb::Check { file }) => file.clone().into_iter().collect(),
            Self::Policy(policy::Verb::Allow(args)) => {
                let reference = strategies(&[&args.effort.reference]);
                std::iter::once(args.file.clone()).chain(reference).collect()
            }
            Self::Serve(args) => args.token_file.clone().into_iter().collect(),
            Self::Strategy(strategy::Args { verb: strategy::Verb::Stage { strategy, .. }, .. }) => {
                strategies(&[strategy])
            }
            Self::Policy(policy::Verb::New { .. } | policy::Verb::Show)
            | Self::Strategy(_)
            | Self::Demo(_)
            | Self::Decisions(_)
            | Self::Scratch(_)
            | Self::Seed(_)
            | Self::Selftest(_)
            | Self::Child(_) => Vec::new(),
        }
    }

    fn run(self, common: Common, output: &mut Output) -> Result<u8, Error> {
        match self {
            Self::Demo(args) => demo::run(&Setup::new(common)?, &args, output),
            Self::Page(args) => page::run(&Setup::new(common)?, &args, output),
            Self::Serve(args) => serve::run(common, &args, output),
            Self::Inspect(args) => inspect::run(&common, &args, output),
            Self::Verify(args) => verify::run(&Setup::new(common)?, &args, output),
            Self::Bench(args) => bench::run(&Setup::new(common)?, &args, output),
            Self::Report(args) => report::run(&common, &args, output),
            Self::Policy(verb) => policy::run(&common, verb, output),
            Self::Audit(args) => audit::run(&Setup::new(common)?, &args, output),
            Self::Diff(args) => diff::run(common, &args, output),
            Self::Decisions(args) => decisions::run(&common, &args, output),
            Self::Strategy(args) => strategy::run(&common, args, output),
            Self::Scratch(verb) => scratch::run(&common, verb, output),
            Self::Seed(args) => seed::run(&common, &args, output),
            Self::Selftest(args) => selftest::run(&common, &args, output),
            Self::Child(verb) => child::run(common, verb),
        }
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

//! What goes with every verb, and how the words of the command line are read.

use std::path::PathBuf;

use clap::Args;

use keyhole_log::environment;
use keyhole_log::error::Error;
use keyhole_log::grants::Instances;

/// What the options that go with every verb stand under in the help.
pub(crate) const GLOBAL: &str = "Global options";

/// What goes with every verb.
#[derive(Args, Debug, Clone)]
pub struct Common {
    /// The log's folder: audit.db and payloads.jsonl. It is only read.
    #[arg(long, global = true, help_heading = GLOBAL, env = "KEYHOLE_DATA", default_value = "data", value_name = "DIR")]
    pub data: PathBuf,
    /// What strategies are granted, as TOML; without it, local verbs grant the project's interfaces.
    #[arg(long, global = true, help_heading = GLOBAL, env = "KEYHOLE_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Where the cursor key lies [default: the user's state folder].
    #[arg(long, global = true, help_heading = GLOBAL, env = "KEYHOLE_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Where scratch lies; may be deleted at any time [default: the user's cache folder].
    #[arg(long, global = true, help_heading = GLOBAL, env = "KEYHOLE_CACHE", value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// How long an instance of a strategy lives: one request, or up to USES of them.
    #[arg(long, global = true, help_heading = GLOBAL, default_value = "fresh", value_name = "fresh|warm[:USES]")]
    pub instances: Instances,
    /// Results as JSON on standard output, errors as JSON on standard error.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Write the results to this file instead of standard output.
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace a file that a result is to go to, although it is no result of the same kind. What the run reads, and
    /// what lies in a folder of the log, the state or the cache, is never replaced.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub force: bool,
    /// No progress and no remarks on standard error.
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub quiet: bool,
}

impl Common {
    /// Where the cursor key and the decision log lie.
    pub fn state_folder(&self) -> Result<PathBuf, Error> {
        folder(self.state.clone(), "XDG_STATE_HOME", ".local/state", "--state")
    }

    /// Where scratch and compiled code lie.
    pub fn cache_folder(&self) -> Result<PathBuf, Error> {
        folder(self.cache.clone(), "XDG_CACHE_HOME", ".cache", "--cache")
    }
}

fn folder(given: Option<PathBuf>, variable: &str, below_home: &str, option: &str) -> Result<PathBuf, Error> {
    let absolute =
        |name: &str| environment::variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    given
        .or_else(|| absolute(variable).map(|base| base.join("keyhole")))
        .or_else(|| absolute("HOME").map(|home| home.join(below_home).join("keyhole")))
        .ok_or_else(|| {
            Error::bad_request(format!("neither {variable} nor HOME is set: say where with {option} DIR"))
        })
}

/// The same command line, on which a variable that is empty counts as one that is not set.
pub fn without_empty_variables(command: clap::Command) -> clap::Command {
    let of_argument = |argument: clap::Arg| match argument.get_env() {
        Some(name) if environment::is_empty(name) => argument.env(None),
        _ => argument,
    };
    command.mut_args(of_argument).mut_subcommands(without_empty_variables)
}

/// A time: Unix seconds, or RFC 3339.
pub(crate) fn time(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| "neither Unix seconds nor an RFC 3339 time such as 2025-12-30T00:00:00Z".to_owned())?;
    Ok(time.as_second())
}

/// A number that is not 0.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
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
    fn times_are_unix_seconds_or_rfc_3339() {
        assert_eq!(time("-5"), Ok(-5));
        assert_eq!(time("1767052800"), Ok(1_767_052_800));
        assert_eq!(time("2025-12-30T00:00:00Z"), Ok(1_767_052_800));
        assert!(time("yesterday").is_err());
    }
}

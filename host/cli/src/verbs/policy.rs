//! `policy`: make a policy, check it, show it. `allow` has a file of its own.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use crate::args::Common;
use crate::results::{self, Kind, ResultFile};
use crate::verbs::output::Output;
use crate::verbs::{allow, no_policy};
use keyhole_log::error::Error;
use keyhole_runtime::policy::{Policy, docs, show};
use keyhole_runtime::registry::Registry;

/// Where `new` writes where nothing is said.
const USUAL: &str = "keyhole.toml";

/// What can be done with a policy.
#[derive(Subcommand, Debug)]
pub enum Verb {
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
    Allow(allow::Args),
}

/// Runs the verb.
pub fn run(common: &Common, verb: Verb, output: &mut Output) -> Result<u8, Error> {
    match verb {
        Verb::New { file } => make(common, file, output),
        Verb::Check { file } => check(common, file, output),
        Verb::Show => show(common, output),
        Verb::Allow(args) => allow::run(common, &args, output),
    }
}

fn make(common: &Common, file: Option<PathBuf>, output: &mut Output) -> Result<u8, Error> {
    let path = file.or_else(|| common.policy.clone()).unwrap_or_else(|| PathBuf::from(USUAL));
    // Also a link to nowhere: whoever put it there did not mean this.
    if path.symlink_metadata().is_ok() {
        return Err(Error::bad_request(format!(
            "{} exists already: name another file, or edit that one",
            path.display()
        )));
    }
    let mut made = ResultFile::open(&path, Kind::Source, output.rules())?;
    made.write_all(docs::template().as_bytes()).map_err(|source| Error::io(&path, source))?;
    results::commit(vec![made], output.rules())?;
    let path = path.display().to_string();
    output.show(&json!({ "made": path }), || {
        format!("{path} is made: use it with --policy or KEYHOLE_POLICY\n")
    })?;
    Ok(0)
}

/// 0 if all is well, 1 if something is wrong with the policy or with a file that it names.
fn check(common: &Common, file: Option<PathBuf>, output: &mut Output) -> Result<u8, Error> {
    let path = file.or_else(|| common.policy.clone()).ok_or_else(no_policy)?;
    let mut wrong: Vec<String> = Vec::new();
    let mut sound_parts: Vec<String> = Vec::new();
    match Policy::load(Some(&path)) {
        Err(Error::BadPolicy { mistakes, .. }) => wrong = mistakes,
        Err(error) => return Err(error),
        Ok(policy) => {
            sound_parts.push(format!(
                "{} is valid: sha256:{}, {} strategies, {} keys",
                path.display(),
                policy.digest.as_deref().unwrap_or_default(),
                policy.sections.len(),
                policy.keys.len()
            ));
            for stanza in policy.sections.values().filter(|stanza| stanza.file.is_some()) {
                match Registry::new(&policy).find(&stanza.name) {
                    Ok(found) => sound_parts.push(format!(
                        "strategy.{}: {} is what it means, and imports no more than is granted",
                        stanza.name,
                        found.origin.display()
                    )),
                    Err(error) => {
                        let lines = error.lines().map(|lines| format!("\n{}", lines.trim_end()));
                        wrong.push(format!(
                            "line {}: strategy.{}: {}: {error}{}",
                            stanza.line,
                            stanza.name,
                            error.code(),
                            lines.unwrap_or_default()
                        ));
                    }
                }
            }
        }
    }
    let sound = wrong.is_empty();
    let report = json!({ "policy": path.display().to_string(), "sound": sound, "problems": wrong, "sound_parts": sound_parts });
    output.show(&report, || sound_parts.iter().chain(&wrong).map(|line| format!("{line}\n")).collect())?;
    Ok(u8::from(!sound))
}

fn show(common: &Common, output: &mut Output) -> Result<u8, Error> {
    let policy = Policy::load(common.policy.as_deref())?;
    let rows = show::rows(&policy);
    let shown = json!({
        "policy": policy.file.as_deref().map(|path| path.display().to_string()),
        "digest": policy.digest.as_ref().map(|digest| format!("sha256:{digest}")),
        "keys": rows,
    });
    output.show(&shown, || {
        let none = Path::new("none: local verbs grant the project's interfaces");
        format!("policy  {}\n\n{}", policy.file.as_deref().unwrap_or(none).display(), show::readable(&rows))
    })?;
    Ok(0)
}

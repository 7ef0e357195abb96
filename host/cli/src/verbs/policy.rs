//! `policy`: make a policy, check it, show it. `allow` has a file of its own.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::{Common, PolicyVerb};
use crate::commands::allow;
use crate::commands::output::Output;
use crate::error::Error;
use crate::policy::{Policy, show, template};
use crate::registry::Registry;

/// Where `new` writes where nothing is said.
const USUAL: &str = "keyhole.toml";

/// Runs the verb.
pub fn run(common: &Common, verb: PolicyVerb) -> Result<u8, Error> {
    match verb {
        PolicyVerb::New { file } => make(common, file),
        PolicyVerb::Check { file } => check(common, file),
        PolicyVerb::Show => show(common),
        PolicyVerb::Allow(args) => allow::run(common, &args),
    }
}

fn make(common: &Common, file: Option<PathBuf>) -> Result<u8, Error> {
    let path = file.or_else(|| common.policy.clone()).unwrap_or_else(|| PathBuf::from(USUAL));
    let made = std::fs::File::create_new(&path).and_then(|mut file| {
        file.write_all(template::text().as_bytes())?;
        file.sync_all()
    });
    match made {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Error::bad_request(format!(
                "{} exists already: name another file, or edit that one",
                path.display()
            )));
        }
        Err(source) => return Err(Error::io(&path, source)),
    }
    let mut output = Output::open(common)?;
    if common.json {
        output.json(&serde_json::json!({ "made": path.display().to_string() }))?;
    } else {
        output.line(&format!("{} is made: use it with --policy or KEYHOLE_POLICY", path.display()))?;
    }
    output.flush()?;
    Ok(0)
}

/// 0 if all is well, 1 if something is wrong with the policy or with a file that it names.
fn check(common: &Common, file: Option<PathBuf>) -> Result<u8, Error> {
    let path = file.or_else(|| common.policy.clone()).ok_or_else(which)?;
    let mut wrong: Vec<String> = Vec::new();
    let mut sound_parts: Vec<String> = Vec::new();
    match Policy::load(Some(&path)) {
        Err(Error::BadPolicy { problems, .. }) => {
            wrong.extend(problems.iter().map(ToString::to_string));
        }
        Err(error) => return Err(error),
        Ok(policy) => {
            sound_parts.push(format!(
                "{} is valid: sha256:{}, {} strategies, {} keys",
                path.display(),
                policy.digest.as_deref().unwrap_or_default(),
                policy.stanzas.len(),
                policy.keys.len()
            ));
            for stanza in policy.stanzas.values().filter(|stanza| stanza.file.is_some()) {
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
    let mut output = Output::open(common)?;
    if common.json {
        let sound = wrong.is_empty();
        output.json(&serde_json::json!({ "policy": path.display().to_string(), "sound": sound, "problems": wrong, "sound_parts": sound_parts }))?;
    } else {
        for line in sound_parts.iter().chain(&wrong) {
            output.line(line)?;
        }
    }
    output.flush()?;
    Ok(u8::from(!wrong.is_empty()))
}

fn show(common: &Common) -> Result<u8, Error> {
    let policy = Policy::load(common.policy.as_deref())?;
    let rows = show::rows(&policy);
    let mut output = Output::open(common)?;
    if common.json {
        output.json(&serde_json::json!({
            "policy": policy.file.as_deref().map(|path| path.display().to_string()),
            "digest": policy.digest.as_ref().map(|digest| format!("sha256:{digest}")),
            "keys": rows,
        }))?;
    } else {
        let file =
            policy.file.as_deref().unwrap_or(Path::new("none: local verbs grant the project's interfaces"));
        output.line(&format!("policy  {}\n", file.display()))?;
        output.write(show::readable(&rows).as_bytes())?;
    }
    output.flush()?;
    Ok(0)
}

/// The error of a verb that needs a policy and was given none.
pub(super) fn which() -> Error {
    Error::bad_request(
        "which policy? name it with --policy FILE or KEYHOLE_POLICY; `keyhole policy new` makes one"
            .to_owned(),
    )
}

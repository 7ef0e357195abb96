//! `diff`: what changes between two strategies, each by its audit.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::audit::facts::{Audit, FORMAT, Severity};
use crate::cli::{AuditArgs, Common, DiffArgs};
use crate::commands::{Setup, audit, document};
use crate::diff::{compare, document as screen};
use crate::error::Error;

/// Largest saved audit that is read: a real one is far below a mebibyte.
const MOST_BYTES: u64 = 64 << 20;

/// What is read of an audit before the rest of it is believed.
#[derive(serde::Deserialize)]
struct Format {
    format: u32,
}

/// Runs the verb: 0 if nothing widens and the answers are the same.
pub fn run(common: Common, args: &DiffArgs) -> Result<u8, Error> {
    let (old, new) = (saved(&args.old)?, saved(&args.new)?);
    let (common, old, new) = match (old, new) {
        (Some(old), Some(new)) => (common, old, new),
        (old, new) => {
            // One after the other: each has the machine, and its costs, for itself.
            let setup = Setup::new(common)?;
            let old = old.map_or_else(|| audited(&setup, args, &args.old), Ok)?;
            let new = new.map_or_else(|| audited(&setup, args, &args.new), Ok)?;
            (setup.common, old, new)
        }
    };
    let diff = compare(&old, &new);
    document::show(&common, &screen(&diff), &diff, args.html.as_deref())?;
    Ok(u8::from(!diff.acceptable))
}

/// Audits a strategy now, as `audit` does.
fn audited(setup: &Setup, args: &DiffArgs, strategy: &str) -> Result<Audit, Error> {
    let args = AuditArgs {
        strategy: strategy.to_owned(),
        effort: args.effort.clone(),
        fail_on: Severity::High,
        html: None,
    };
    audit::audit(setup, &args, None).map_err(|error| error.during(format!("the audit of {strategy}")))
}

/// Reads a saved audit: a file whose name ends in `.json`. None for a strategy.
fn saved(path: &str) -> Result<Option<Audit>, Error> {
    let path = Path::new(path);
    if path.extension().is_none_or(|extension| extension != "json") {
        return Ok(None);
    }
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).map_err(|source| Error::io(path, source))?;
    let no_audit = |what: String| {
        Error::bad_request(format!("{} is not an audit that `audit --json` wrote: {what}", path.display()))
    };
    let Format { format } = serde_json::from_str(&text).map_err(|error| no_audit(error.to_string()))?;
    if format != FORMAT {
        return Err(no_audit(format!("its format is {format}, and this program reads format {FORMAT}")));
    }
    serde_json::from_str(&text).map(Some).map_err(|error| no_audit(error.to_string()))
}

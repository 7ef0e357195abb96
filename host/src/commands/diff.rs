//! `diff`: what changes between two strategies, each by its audit.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::audit::facts::{Audit, FORMAT};
use crate::cli::{Common, DiffArgs};
use crate::commands::document;
use crate::diff::{compare, document as screen};
use crate::error::Error;

/// Largest saved audit that is read: a real one is far below a mebibyte.
const MOST_BYTES: u64 = 64 << 20;

/// Runs the verb: 0 if nothing widens and the answers are the same.
pub fn run(common: &Common, args: &DiffArgs) -> Result<u8, Error> {
    let diff = compare(&saved(&args.old)?, &saved(&args.new)?);
    document::show(common, &screen(&diff), &diff, args.html.as_deref())?;
    Ok(u8::from(!diff.acceptable))
}

/// Reads a saved audit.
fn saved(path: &str) -> Result<Audit, Error> {
    let path = Path::new(path);
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).map_err(|source| Error::io(path, source))?;
    let no_audit = |what: String| {
        Error::bad_request(format!("{} is not an audit that `audit --json` wrote: {what}", path.display()))
    };
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let Format { format } = serde_json::from_str(&text).map_err(|error| no_audit(error.to_string()))?;
    if format != FORMAT {
        return Err(no_audit(format!("its format is {format}, and this program reads format {FORMAT}")));
    }
    serde_json::from_str(&text).map_err(|error| no_audit(error.to_string()))
}

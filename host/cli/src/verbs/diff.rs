//! `diff`: what changes between two strategies, each by its audit.

use std::path::{Path, PathBuf};

use crate::args::Common;
use crate::report::views;
use crate::verbs::audit::{Effort, audit};
use crate::verbs::output::Output;
use crate::verbs::{Setup, document};
use keyhole_lab::audit::facts::Audit;
use keyhole_lab::diff;
use keyhole_log::error::Error;

/// Options of `diff`.
#[derive(clap::Args, Debug)]
pub struct Args {
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

/// Runs the verb: 0 if nothing widens, and the new answers are right wherever the old ones were.
pub fn run(common: Common, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let (old, new) = (Audit::saved(Path::new(&args.old))?, Audit::saved(Path::new(&args.new))?);
    let (common, old, new) = match (old, new) {
        (Some(old), Some(new)) => (common, old, new),
        (old, new) => {
            // One after the other: each has the machine, and its costs, for itself.
            let setup = Setup::new(common)?;
            let audited = |strategy: &str| {
                audit(&setup, strategy, None, &args.effort)
                    .map_err(|error| error.during(format!("the audit of {strategy}")))
            };
            let old = old.map_or_else(|| audited(&args.old), Ok)?;
            let new = new.map_or_else(|| audited(&args.new), Ok)?;
            (setup.common, old, new)
        }
    };
    let diff = diff::run(&old, &new);
    document::show(output, &common, &views::diff::document(&diff), &diff)?;
    Ok(u8::from(!diff.acceptable))
}

//! `report`: what `bench --json` measured, as a page of HTML.

use std::path::{Path, PathBuf};

use crate::args::Common;
use crate::report::{self, views};
use crate::verbs::output::Output;
use keyhole_lab::bench::Report;
use keyhole_log::error::Error;

/// Options of `report`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Results of `bench --json`; several are also set against the first.
    #[arg(required = true, value_name = "BENCH.json")]
    pub results: Vec<PathBuf>,
}

/// Runs the verb.
pub fn run(common: &Common, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let mut results = Vec::with_capacity(args.results.len());
    for path in &args.results {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        results.push((name, read(path)?));
    }
    let named: Vec<_> = results.iter().map(|(name, result)| (name.clone(), result)).collect();
    let document = views::bench::document(&named);
    if common.json {
        output.json(&results.into_iter().map(|(_, result)| result).collect::<Vec<_>>())?;
    } else {
        output.write(report::html(&document).as_bytes())?;
    }
    output.flush()?;
    Ok(0)
}

fn read(path: &Path) -> Result<Report, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::bad_request(format!(
            "{} is not a result of `keyhole bench --json` of this version: {error}",
            path.display()
        ))
    })
}

//! `report`: what `bench --json` measured, as a page of HTML.

use std::path::Path;

use crate::bench::{BenchResult, document};
use crate::cli::{Common, ReportArgs};
use crate::commands::output::Output;
use crate::error::Error;
use crate::report;

/// Runs the verb.
pub fn run(common: &Common, args: &ReportArgs) -> Result<u8, Error> {
    let mut results = Vec::with_capacity(args.results.len());
    for path in &args.results {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        results.push((name, read(path)?));
    }
    let document = document(&results);
    let mut output = Output::open(common)?;
    if common.json {
        output.json(&results.into_iter().map(|(_, result)| result).collect::<Vec<_>>())?;
    } else {
        output.write(report::html(&document).as_bytes())?;
    }
    output.flush()?;
    Ok(0)
}

fn read(path: &Path) -> Result<BenchResult, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::bad_request(format!(
            "{} is not a result of `keyhole bench --json` of this version: {error}",
            path.display()
        ))
    })
}

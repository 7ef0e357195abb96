//! `--version`: this program, and what it is made of.

use crate::cli::Common;
use crate::commands::output::Output;
use crate::error::Error;
use crate::linker;

/// The versions, by name.
pub fn versions() -> std::collections::BTreeMap<String, String> {
    let pairs = [
        ("keyhole", env!("CARGO_PKG_VERSION")),
        ("wasmtime", env!("KEYHOLE_WASMTIME")),
        ("sqlite", rusqlite::version()),
        (linker::PACKAGE, linker::VERSION),
    ];
    pairs.into_iter().map(|(name, version)| (name.to_owned(), version.to_owned())).collect()
}

/// Prints them.
pub fn run(common: &Common) -> Result<u8, Error> {
    let mut output = Output::open(common)?;
    let versions = versions();
    if common.json {
        output.json(&versions)?;
    } else {
        output.line(&format!("keyhole {}", env!("CARGO_PKG_VERSION")))?;
        for (name, version) in versions.iter().filter(|(name, _)| *name != "keyhole") {
            output.line(&format!("{name} {version}"))?;
        }
    }
    output.flush()?;
    Ok(0)
}

//! `--version`: this program, and what it is made of.

use crate::verbs::output::Output;
use keyhole_log::error::Error;
use keyhole_log::grants;

/// The versions, by name.
pub fn versions() -> std::collections::BTreeMap<String, String> {
    let pairs = [
        ("keyhole", env!("CARGO_PKG_VERSION")),
        ("wasmtime", keyhole_runtime::engine::WASMTIME_VERSION),
        ("sqlite", rusqlite::version()),
        (grants::PACKAGE, grants::VERSION),
    ];
    pairs.into_iter().map(|(name, version)| (name.to_owned(), version.to_owned())).collect()
}

/// Prints them.
pub fn run(output: &mut Output) -> Result<u8, Error> {
    let versions = versions();
    output.show(&versions, || {
        let others = versions.iter().filter(|(name, _)| *name != "keyhole");
        let lines = others.map(|(name, version)| format!("{name} {version}\n"));
        format!("keyhole {}\n{}", env!("CARGO_PKG_VERSION"), lines.collect::<String>())
    })?;
    Ok(0)
}

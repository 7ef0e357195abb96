//! Builds the strategies that the binary carries.

#[path = "build/guests.rs"]
mod guests;
#[path = "build/sources.rs"]
mod sources;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    guests::report(build());
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo is not there")?);
    let root = here.ancestors().nth(2).ok_or("the workspace is not there")?;

    println!("cargo::rustc-env=KEYHOLE_WASMTIME={}", locked_version(root, "wasmtime")?);

    let guests = guests::Guests::new(root)?;
    guests::write(&out.join("baseline.wasm"), &guests.component("guest-baseline", "guest-baseline")?)?;
    guests::write(&out.join("keyset.wasm"), &guests.component("guest-keyset", "guest-keyset")?)?;
    guests::write(&out.join("wit.rs"), wit(&root.join("wit"))?.as_bytes())?;

    // Embedded beside the strategy, to be compared with the manifest that is kept in the project.
    let manifest = sources::manifest(root).map_err(|error| format!("baseline sources: {error}"))?;
    guests::write(&out.join("baseline_sources.sha256"), manifest.as_bytes())
}

/// The files of the WIT package as an expression: an array of their names and texts.
fn wit(folder: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let paths = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> = paths.map_err(failed)?;
    paths.sort();
    let files = paths.iter().map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format!("({name:?}, include_str!({:?})),\n", path.to_string_lossy())
    });
    Ok(format!("[\n{}]\n", files.collect::<String>()))
}

/// The version of a crate in the lock file: wasmtime does not tell its own.
fn locked_version(root: &Path, name: &str) -> Result<String, String> {
    let path = root.join("Cargo.lock");
    println!("cargo::rerun-if-changed={}", path.display());
    let lock = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let entry = format!("name = \"{name}\"\nversion = \"");
    let version =
        lock.split_once(&entry).and_then(|(_, rest)| rest.split_once('"')).map(|(version, _)| version);
    version.map(str::to_owned).ok_or_else(|| format!("{} does not name {name}", path.display()))
}

//! Builds the strategies that the binary carries: the two that serve, and the hostile ones of `selftest`.

#[path = "build/guests.rs"]
mod guests;
#[path = "build/sources.rs"]
mod sources;
#[path = "build/zoo.rs"]
mod zoo;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    guests::report(build());
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let host = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo is not there")?);
    let root = host.parent().ok_or("the workspace is not there")?;

    println!("cargo::rustc-env=KEYHOLE_WASMTIME={}", locked_version(root, "wasmtime")?);

    let guests = guests::Guests::new(root)?;
    guests::write(&out.join("baseline.wasm"), &guests.component("guest-baseline", "guest-baseline")?)?;
    guests::write(&out.join("keyset.wasm"), &guests.component("guest-keyset", "guest-keyset")?)?;
    zoo::build(root, &guests, &out)?;

    // Embedded beside the strategy, to be compared with the manifest that is kept in the project.
    let manifest = sources::manifest(root).map_err(|error| format!("baseline sources: {error}"))?;
    guests::write(&out.join("baseline_sources.sha256"), manifest.as_bytes())
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

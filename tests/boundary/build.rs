//! Builds the guest of the benchmark, as the strategies are built.

#[path = "../../host/build/guests.rs"]
mod guests;

use std::env;
use std::fs;
use std::path::PathBuf;

fn main() {
    if let Err(message) = build() {
        // Cargo shows these, and fails the build.
        for line in message.lines() {
            println!("cargo::error={line}");
        }
    }
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo is not there")?);
    let root = here.ancestors().nth(2).ok_or("the workspace is not there")?;
    println!("cargo::rerun-if-changed={}", here.join("wit").display());
    let guest = guests::Guests::new(root)?.component("boundary-guest", "tests/boundary/guest")?;
    let path = out.join("guest.wasm");
    fs::write(&path, guest).map_err(|error| format!("{}: {error}", path.display()))
}

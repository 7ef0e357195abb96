//! Builds the guest of the benchmark, as the strategies are built.

#[path = "../../host/runtime/build/guests.rs"]
mod guests;

use std::env;
use std::path::PathBuf;

fn main() {
    guests::report(build());
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo is not there")?);
    let root = here.ancestors().nth(2).ok_or("the workspace is not there")?;
    println!("cargo::rerun-if-changed={}", here.join("wit").display());
    let guest = guests::Guests::new(root)?.component("boundary-guest", "tests/boundary/guest")?;
    guests::write(&out.join("guest.wasm"), &guest)
}

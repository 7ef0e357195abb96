//! Builds the hostile strategies of `selftest`.

#[path = "../runtime/build/guests.rs"]
mod guests;
#[path = "build/zoo.rs"]
mod zoo;

use std::env;
use std::path::PathBuf;

fn main() {
    guests::report(build());
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo is not there")?);
    let root = here.ancestors().nth(2).ok_or("the workspace is not there")?;
    zoo::build(root, &guests::Guests::new(root)?, &out)
}

//! The strategies that the tests run against: wrong on purpose, all but `honest`, and built by this
//! package's build script.

use std::path::{Path, PathBuf};

/// The names of the strategies, sorted. `tests/guests/src/behaviours` has a file for each.
pub const GUESTS: &[&str] = include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// The component that plays the behaviour `name`, one of [`GUESTS`]. Panics on any other name.
pub fn guest(name: &str) -> PathBuf {
    assert!(GUESTS.contains(&name), "no test guest is named {name}");
    Path::new(env!("OUT_DIR")).join(format!("{name}.wasm"))
}

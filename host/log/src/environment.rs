//! The environment: a variable that is empty counts as one that is not set. Everything that the program takes from
//! there is asked for here.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Where temporary files lie on a system that says nothing else.
const USUAL: &str = "/tmp";

/// The value of a variable, unless that is empty.
pub fn variable(name: impl AsRef<OsStr>) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether a variable is set, to nothing.
pub fn is_empty(name: impl AsRef<OsStr>) -> bool {
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

/// All variables that are not empty.
pub fn variables() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(_, value)| !value.is_empty())
}

/// Where temporary copies of a log lie: `TMPDIR`. Where that is empty they would else lie in the working folder.
pub fn temporary_folder() -> PathBuf {
    variable("TMPDIR").map_or_else(|| USUAL.into(), PathBuf::from)
}

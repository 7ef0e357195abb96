//! Logs that CPython's sqlite3 wrote, as the live system's are.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{Place, stderr, stdout};

/// Writes a log of odd values and returns its folder, and the right answers over it as JSON Lines.
pub(crate) fn odd_log(place: &Place) -> (PathBuf, String) {
    let folder = place.path("odd");
    let answers = stdout(&python("odd", &folder));
    (folder, answers)
}

/// Writes a log of 2,000 events whose seconds are shared by several of them.
pub(crate) fn log_with_ties(place: &Place) -> PathBuf {
    let folder = place.path("ties");
    python("ties", &folder);
    folder
}

/// What Python's sqlite3 says of a log: the digest of its rows, and facts of the file.
pub(crate) fn facts(folder: &Path) -> serde_json::Value {
    serde_json::from_str(&stdout(&python("rows", folder))).unwrap()
}

fn python(verb: &str, folder: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/write_log.py");
    let output = Command::new("python3").arg(script).arg(verb).arg(folder).output();
    let output = output.expect("these tests need python3 with its sqlite3 module");
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

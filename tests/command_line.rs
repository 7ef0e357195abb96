//! The conventions of the command line: streams, exit codes, errors, and what each verb promises.

mod conversation;
mod errors;
mod inspect;
mod interrupted;
mod outputs;
mod people;
mod requests;
mod results;

use std::path::PathBuf;

use crate::support::Place;
use crate::support::foreign::log_with_ties;

/// A place, and a log in it whose events share their times.
fn with_log() -> (Place, PathBuf) {
    let place = Place::new();
    let log = log_with_ties(&place);
    (place, log)
}

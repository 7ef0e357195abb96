//! Ctrl-C: long work looks here and ends by itself, so that temporary files go with it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::error::Error;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Asks all work of the process to end.
pub fn request() {
    REQUESTED.store(true, Relaxed);
}

/// Whether the work should end.
pub fn requested() -> bool {
    REQUESTED.load(Relaxed)
}

/// Fails once the work should end.
pub fn check() -> Result<(), Error> {
    if requested() { Err(Error::Interrupted) } else { Ok(()) }
}

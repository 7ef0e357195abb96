//! The host's own tables in a scratch, beside the strategy's.

use rusqlite::Connection;

use crate::scratch::{blocks, compare, fit, lines};
use keyhole_log::quarantine;
use keyhole_log::version::LogVersion;

/// Makes them in a new scratch, which is about to be filled from a log of this version.
pub(super) fn create(scratch: &Connection, version: &LogVersion) -> rusqlite::Result<()> {
    fit::create(scratch)?;
    blocks::create(scratch)?;
    compare::create(scratch, version)?;
    lines::create(scratch)?;
    quarantine::create(scratch)
}

//! `append-to-copy`: the process that `verify` starts to append to its own copy of a log.

use crate::cli::Common;
use crate::contract::copy;
use crate::error::Error;

/// Runs until standard input ends.
pub fn run(common: &Common) -> Result<u8, Error> {
    copy::serve_appends(&common.data)?;
    Ok(0)
}

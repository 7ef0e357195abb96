//! The contract's digest of a log's rows.

use sha2::{Digest, Sha256};

use crate::Log;
use crate::error::Error;
use crate::feed::Feeder;

/// SHA-256 over all rows by `id`: eight columns joined by a vertical bar, a newline after each.
pub fn rows_digest(log: &Log) -> Result<String, Error> {
    let mut hasher = Sha256::new();
    Feeder::open(log)?.each_row_text(|text| {
        hasher.update(text.as_bytes());
        hasher.update(b"\n");
    })?;
    Ok(crate::hash::hex(&hasher.finalize()))
}

//! What the contract's data set must digest to, for any `now`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::generator::{Dataset, ROWS};
use crate::Log;
use crate::error::Error;
use crate::hash::hex;

/// The digests of the first rows of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256 of the rows' text, in hexadecimal.
    pub rows: String,
    /// SHA-256 of their payload lines, in hexadecimal.
    pub payloads: String,
    /// How many bytes those lines have.
    pub payload_bytes: u64,
}

/// Draws the first `rows` rows once more; 50,000 take a fraction of a second.
pub fn fingerprint(now: i64, rows: u64, short_payloads: bool) -> Fingerprint {
    let mut dataset = Dataset::new(now, short_payloads);
    let (mut all_rows, mut payloads, mut payload_bytes) = (Sha256::new(), Sha256::new(), 0);
    let (mut line, mut text) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        line.clear();
        text.clear();
        dataset.next_row(&mut line).write_text(&mut text);
        all_rows.update(&text);
        payloads.update(&line);
        payload_bytes += line.len() as u64;
    }
    Fingerprint { rows: hex(&all_rows.finalize()), payloads: hex(&payloads.finalize()), payload_bytes }
}

/// A log of as many rows that begins as the contract's data set of this `now` must be that data set: its rows,
/// whose digest is given, and its payloads.
pub fn check(log: &Log, now: i64, rows_digest: &str) -> Result<(), Error> {
    let drawn = [false, true].map(|short_payloads| fingerprint(now, ROWS, short_payloads));
    let Some(expected) = drawn.iter().find(|drawn| drawn.rows == rows_digest) else {
        let what =
            format!("it begins as the contract's data set, but its rows have the digest {rows_digest}");
        return Err(Error::BadLog { path: log.database.clone(), what });
    };
    let digest = digest_of(&log.payloads, expected.payload_bytes)
        .map_err(|source| Error::io(&log.payloads, source))?;
    if digest != expected.payloads {
        let what = format!("its rows are the contract's, but its payloads have the digest {digest}");
        return Err(Error::BadLog { path: log.payloads.clone(), what });
    }
    Ok(())
}

/// SHA-256 of a file's first bytes.
fn digest_of(path: &Path, bytes: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?.take(bytes);
    let (mut hasher, mut chunk) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let held = file.read(&mut chunk)?;
        if held == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&chunk[..held]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::generator::{NOW, PAYLOAD_DIGEST, ROWS, ROWS_DIGEST};

    #[test]
    fn the_contracts_data_set_has_the_published_digests() {
        let Fingerprint { rows, payloads, payload_bytes } = fingerprint(NOW, ROWS, false);
        assert_eq!(
            (rows.as_str(), payloads.as_str(), payload_bytes),
            (ROWS_DIGEST, PAYLOAD_DIGEST, 61_024_030)
        );
    }
}

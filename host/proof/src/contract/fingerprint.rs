//! What the contract's data set must digest to, for any `now`.

use sha2::{Digest, Sha256};

use super::dataset::Dataset;
use crate::hex;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::dataset::{NOW, PAYLOAD_DIGEST, ROWS, ROWS_DIGEST};

    #[test]
    fn the_contracts_data_set_has_the_published_digests() {
        let Fingerprint { rows, payloads, payload_bytes } = fingerprint(NOW, ROWS, false);
        assert_eq!(
            (rows.as_str(), payloads.as_str(), payload_bytes),
            (ROWS_DIGEST, PAYLOAD_DIGEST, 61_024_030)
        );
    }
}

//! A digest of each event's row, by which a copy of the log's rows is held against the log.
//!
//! It is of the cells as they are stored, each with its type: a number as text, NULL or a BLOB is another cell than
//! the one that belongs there, and an odd row has a digest like any other. The key is drawn at random for each copy, so
//! that nobody can make a row with the digest of another one.

use std::hash::{BuildHasher, Hasher, RandomState};

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::folder::COLUMNS;

/// Bytes of a key.
pub const KEY: usize = 16;

/// Bytes of one event's id and digest, as [`RowDigest::bytes`] writes them.
pub const ROW: usize = 16;

/// The key of one copy's digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestKey([u8; KEY]);

impl DigestKey {
    /// A key that nobody knows.
    pub fn random() -> Self {
        let mut key = [0; KEY];
        for half in key.chunks_mut(KEY / 2) {
            // Hashers of the standard library are keyed by the operating system.
            let drawn = RandomState::new().hash_one(half.len());
            half.copy_from_slice(&drawn.to_le_bytes());
        }
        Self(key)
    }

    /// The key of these bytes; None where they are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; KEY] {
        &self.0
    }

    /// The digest of a row of all of the contract's columns, in their order.
    pub fn digest(&self, row: &Row<'_>) -> rusqlite::Result<u64> {
        let mut hasher = self.hasher();
        for column in 0..COLUMNS.len() {
            cell(&mut hasher, row.get_ref(column)?);
        }
        Ok(hasher.finish())
    }

    /// The digest of bytes.
    pub fn of_bytes(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    #[expect(deprecated, reason = "what took its place may be another algorithm in the next release")]
    pub(super) fn hasher(&self) -> std::hash::SipHasher {
        let key = u128::from_le_bytes(self.0);
        // Both halves, cut to what they are.
        #[expect(clippy::cast_possible_truncation, reason = "a half each")]
        let (low, high) = (key as u64, (key >> 64) as u64);
        std::hash::SipHasher::new_with_keys(low, high)
    }
}

fn cell(hasher: &mut impl Hasher, cell: ValueRef<'_>) {
    let mut sized = |tag: u8, bytes: &[u8]| {
        let mut head = [tag; 9];
        for (place, byte) in head.iter_mut().skip(1).zip((bytes.len() as u64).to_le_bytes()) {
            *place = byte;
        }
        hasher.write(&head);
        hasher.write(bytes);
    };
    match cell {
        ValueRef::Null => sized(0, &[]),
        ValueRef::Integer(number) => sized(1, &number.to_le_bytes()),
        ValueRef::Real(number) => sized(2, &number.to_bits().to_le_bytes()),
        ValueRef::Text(text) => sized(3, text),
        ValueRef::Blob(blob) => sized(4, blob),
    }
}

/// An event's id, and the digest of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowDigest {
    /// The id.
    pub id: i64,
    /// The digest.
    pub digest: u64,
}

impl RowDigest {
    /// As they are kept: first the id, then the digest, the least byte first.
    pub fn bytes(self) -> [u8; ROW] {
        (u128::from(self.id.cast_unsigned()) | u128::from(self.digest) << 64).to_le_bytes()
    }

    /// What [`bytes`](Self::bytes) wrote.
    #[expect(clippy::cast_possible_truncation, reason = "a half each")]
    pub fn from_bytes(bytes: [u8; ROW]) -> Self {
        let both = u128::from_le_bytes(bytes);
        Self { id: (both as u64).cast_signed(), digest: (both >> 64) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;
    use rusqlite::types::Value;

    use super::*;

    const KEYED: DigestKey = DigestKey([7; KEY]);

    fn digest_of(cells: &[Value; 8]) -> u64 {
        let row = Connection::open_in_memory().unwrap();
        let places = "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8";
        row.query_row(places, rusqlite::params_from_iter(cells), |row| KEYED.digest(row)).unwrap()
    }

    fn a_cell() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            // SQLite keeps no NaN.
            any::<f64>().prop_filter("a number", |number| !number.is_nan()).prop_map(Value::Real),
            ".{0,6}".prop_map(Value::Text),
            proptest::collection::vec(any::<u8>(), 0..6).prop_map(Value::Blob),
        ]
    }

    proptest! {
        #[test]
        fn rows_have_one_digest_only_where_all_their_cells_are_the_same(
            one in proptest::array::uniform8(a_cell()), cell in a_cell(), at in 0usize..8,
        ) {
            let mut other = one.clone();
            other[at] = cell;
            prop_assert_eq!(digest_of(&one) == digest_of(&other), one == other);
        }

        #[test]
        fn what_is_kept_of_a_row_is_read_back(id in any::<i64>(), digest in any::<u64>()) {
            let row = RowDigest { id, digest };
            prop_assert_eq!(RowDigest::from_bytes(row.bytes()), row);
        }
    }

    #[test]
    fn cells_that_look_alike_are_told_apart() {
        let with = |cell: Value| digest_of(&[const { Value::Null }; 8].map(|_| cell.clone()));
        let alike = [
            Value::Null,
            Value::Integer(5),
            Value::Real(5.0),
            Value::Text("5".to_owned()),
            Value::Blob(b"5".to_vec()),
            Value::Text(String::new()),
            Value::Blob(Vec::new()),
        ];
        let mut digests: Vec<u64> = alike.into_iter().map(with).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 7);
        // Where one text ends and the next begins.
        let texts = |a: &str, b: &str| {
            let mut cells = [const { Value::Null }; 8];
            (cells[0], cells[1]) = (Value::Text(a.to_owned()), Value::Text(b.to_owned()));
            digest_of(&cells)
        };
        assert_ne!(texts("ab", "c"), texts("a", "bc"));
    }

    /// What is kept outlives an update of the program: the same row has the same digest in every release.
    #[test]
    fn a_digest_is_siphash_2_4_and_keys_differ() {
        let key = DigestKey::from_bytes(&(0..16).collect::<Vec<u8>>()).unwrap();
        // The test vector of the paper, for the bytes 0 to 14.
        assert_eq!(key.of_bytes(&(0..15).collect::<Vec<u8>>()), 0xa129_ca61_49be_45e5);
        assert_ne!(DigestKey::random(), DigestKey::random());
        assert!(DigestKey::from_bytes(&[0; 15]).is_none());
    }
}

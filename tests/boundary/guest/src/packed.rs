//! Rows in one piece. A row: id, time and actor as 8 bytes each, low byte first; then its three texts, each behind
//! its length as 2 bytes.

/// The sum of the ids. The lengths of a row's texts have to be read to find the next row.
pub fn sum_of_ids(mut bytes: &[u8]) -> i64 {
    let mut sum = 0;
    while let Some((id, rest)) = bytes.split_first_chunk::<8>() {
        sum += i64::from_le_bytes(*id);
        bytes = rest.get(16..).unwrap_or_default();
        for _ in 0..3 {
            let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return sum };
            bytes = rest.get(usize::from(u16::from_le_bytes(*length))..).unwrap_or_default();
        }
    }
    sum
}

//! The contract's data set, row by row: what the live system's generator draws and writes.

use super::random::Random;
use crate::survey::profile::FirstRow;

/// How many rows the contract's data set has.
pub const ROWS: u64 = 50_000;
/// The `now` that the contract's published digests and answers were made with, in Unix seconds.
pub const NOW: i64 = 1_767_052_800;
/// The largest distance of an event from `now`, in seconds.
pub const SPAN: i64 = 2_592_000;
/// SHA-256 of `payloads.jsonl` with 50,000 rows, whatever `now` is.
pub const PAYLOAD_DIGEST: &str = "7e9120858b688cdd6d73c4277a1d8e21c5dae1134b3735538409b914f0dd0d38";
/// SHA-256 of all 50,000 rows with `now` = [`NOW`], each as [`Row::write_text`] writes it.
pub const ROWS_DIGEST: &str = "adea431ef0ebb918d38cfad82b2e3db4a31a4be7abd5772315c811dd328c412a";
/// The actions, in the order that they are drawn by.
pub const ACTIONS: [&str; 6] = ["LOGIN", "LOGOUT", "UPDATE", "DELETE", "CREATE", "EXPORT"];
/// The kinds of resources, in the order that they are drawn by.
pub const RESOURCES: [&str; 5] = ["ORDER", "USER", "PRODUCT", "INVOICE", "WAREHOUSE"];
/// Actors are numbered from 1 to this.
pub const ACTORS: i64 = 2000;
/// The seed of the data set and of the contract's query stream.
pub const SEED: u64 = 1337;

/// The table and the index of `audit.db`, as the live system makes them.
pub const SCHEMA: &str = "\
CREATE TABLE audit_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at INTEGER NOT NULL,
    actor_id INTEGER NOT NULL,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    payload_offset INTEGER NOT NULL,
    payload_len INTEGER NOT NULL
);
CREATE INDEX idx_created_at ON audit_events (created_at);
";

/// The characters that are left of a note in a short payload.
const SHORT_NOTE: u64 = 16;

/// One row of `audit_events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'text> {
    /// The event's number, from 1.
    pub id: i64,
    /// Unix seconds.
    pub created_at: i64,
    /// Who did it.
    pub actor_id: i64,
    /// What was done.
    pub action: &'text str,
    /// To what kind of thing.
    pub resource_type: &'text str,
    /// To which thing.
    pub resource_id: &'text str,
    /// Where the event's line starts in `payloads.jsonl`, in bytes.
    pub payload_offset: i64,
    /// The line's length in bytes, its newline included.
    pub payload_len: i64,
}

impl Row<'_> {
    /// Appends the eight columns joined by a vertical bar, and a newline: the text that
    /// [`ROWS_DIGEST`] is taken of.
    pub fn write_text(&self, text: &mut Vec<u8>) {
        for number in [self.id, self.created_at, self.actor_id] {
            push_signed(text, number);
            text.push(b'|');
        }
        for piece in [self.action, self.resource_type, self.resource_id] {
            text.extend_from_slice(piece.as_bytes());
            text.push(b'|');
        }
        push_signed(text, self.payload_offset);
        text.push(b'|');
        push_signed(text, self.payload_len);
        text.push(b'\n');
    }
}

/// The data set from its first row on. It has no end: rows beyond [`ROWS`] go on drawing.
#[derive(Clone, Debug)]
pub struct Dataset {
    random: Random,
    now: i64,
    short_payloads: bool,
    id: i64,
    payload_offset: i64,
    resource_id: String,
}

impl Dataset {
    /// The data set whose newest event may be as late as `now`, in Unix seconds.
    ///
    /// Short payloads come from the same draws and have the same keys, but `diff` holds `field_0`
    /// alone and the note has 16 characters: rows in millions then need little disk.
    pub fn new(now: i64, short_payloads: bool) -> Self {
        Self {
            random: Random::new(SEED),
            now,
            short_payloads,
            id: 0,
            payload_offset: 0,
            resource_id: String::new(),
        }
    }

    /// Draws the next row and appends its payload line to `payloads`.
    pub fn next_row(&mut self, payloads: &mut Vec<u8>) -> Row<'_> {
        let random = &mut self.random;
        let created_at = self.now.saturating_sub(random.randint(0, SPAN));
        let actor_id = random.randint(1, ACTORS);
        let action = random.choice(&ACTIONS);
        let resource_type = random.choice(&RESOURCES);
        let number = random.below(5_000_000) + 1;
        self.resource_id.clear();
        self.resource_id.push_str(resource_type);
        self.resource_id.push('-');
        push_digits(number, |digits| self.resource_id.push_str(digits));

        let start = payloads.len();
        push_payload(random, self.short_payloads, payloads);
        let payload_len = i64::try_from(payloads.len() - start).unwrap_or(i64::MAX);
        let payload_offset = self.payload_offset;
        self.payload_offset += payload_len;
        self.id += 1;
        Row {
            id: self.id,
            created_at,
            actor_id,
            action,
            resource_type,
            resource_id: &self.resource_id,
            payload_offset,
            payload_len,
        }
    }
}

/// The `now` of a data set that begins with this row, if it is the contract's with long or short
/// payloads; None for the first row of any other log.
pub fn recognise(first: &Row<'_>) -> Option<i64> {
    [false, true].into_iter().find_map(|short_payloads| {
        let mut dataset = Dataset::new(0, short_payloads);
        let expected = dataset.next_row(&mut Vec::new());
        let now = first.created_at.checked_sub(expected.created_at)?;
        (Row { created_at: first.created_at, ..expected } == *first).then_some(now)
    })
}

/// The contract's `now`, if a log's first event is the contract's.
pub fn now_of(first: &FirstRow) -> Option<i64> {
    recognise(&Row {
        id: first.id,
        created_at: first.created_at,
        actor_id: first.actor_id,
        action: &first.action,
        resource_type: &first.resource_type,
        resource_id: &first.resource_id,
        payload_offset: first.payload_offset,
        payload_len: first.payload_len,
    })
}

fn push_payload(random: &mut Random, short: bool, line: &mut Vec<u8>) {
    line.extend_from_slice(b"{\"diff\": {");
    for field in 0..20 {
        let (before, after) = (random.below(1001), random.below(1001));
        if short && field > 0 {
            continue;
        }
        line.extend_from_slice(if field > 0 { b", \"field_" } else { b"\"field_" });
        push_number(line, field);
        line.extend_from_slice(b"\": [");
        push_number(line, before);
        line.extend_from_slice(b", ");
        push_number(line, after);
        line.push(b']');
    }
    line.extend_from_slice(b"}, \"meta\": {\"ip\": \"10");
    for _ in 0..3 {
        line.push(b'.');
        push_number(line, random.below(256));
    }
    line.extend_from_slice(b"\"}, \"tags\": [");
    for tag in 0..10 {
        line.extend_from_slice(if tag > 0 { b", \"" } else { b"\"" });
        line.push(*random.choice(b"abcde"));
        line.push(b'"');
    }
    line.extend_from_slice(b"], \"note\": \"");
    let drawn = random.below(769) + 256;
    let note = if short { SHORT_NOTE } else { drawn };
    line.extend((0..note).map(|_| b'x'));
    line.extend_from_slice(b"\"}\n");
}

fn push_signed(text: &mut Vec<u8>, number: i64) {
    if number < 0 {
        text.push(b'-');
    }
    push_number(text, number.unsigned_abs());
}

fn push_number(text: &mut Vec<u8>, number: u64) {
    push_digits(number, |digits| text.extend_from_slice(digits.as_bytes()));
}

/// A payload holds some forty small numbers: `format!` for each would take most of a seed's time.
fn push_digits(mut number: u64, push: impl FnOnce(&str)) {
    const DIGITS: &str = "0123456789";
    let mut text = [b'0'; 20];
    let mut start = text.len();
    loop {
        start -= 1;
        text[start] = DIGITS.as_bytes()[usize::try_from(number % 10).unwrap_or_default()];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    push(str::from_utf8(&text[start..]).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn texts(now: i64, short_payloads: bool, rows: u64) -> (Vec<String>, Vec<u8>) {
        let mut dataset = Dataset::new(now, short_payloads);
        let mut payloads = Vec::new();
        let rows = (0..rows).map(|_| {
            let mut text = Vec::new();
            dataset.next_row(&mut payloads).write_text(&mut text);
            String::from_utf8(text).unwrap()
        });
        (rows.collect(), payloads)
    }

    #[test]
    fn the_first_rows_are_those_of_the_contract() {
        let (rows, _) = texts(NOW, false, 3);
        assert_eq!(
            rows,
            [
                "1|1764461757|1896|CREATE|PRODUCT|PRODUCT-4789719|0|1493\n",
                "2|1764848931|1986|CREATE|WAREHOUSE|WAREHOUSE-368096|1493|1495\n",
                "3|1765973658|537|LOGIN|USER|USER-494088|2988|1239\n",
            ]
        );
    }

    #[test]
    fn short_payloads_are_json_with_the_same_keys_beside_the_same_columns() {
        let (long_rows, long) = texts(NOW, false, 500);
        let (short_rows, short) = texts(NOW, true, 500);
        let columns = |rows: &[String]| -> Vec<Vec<String>> {
            rows.iter().map(|row| row.split('|').take(6).map(str::to_owned).collect()).collect()
        };
        assert_eq!(columns(&long_rows), columns(&short_rows));
        let lines = |payloads: &[u8]| -> Vec<serde_json::Value> {
            str::from_utf8(payloads).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
        };
        for (long, short) in lines(&long).iter().zip(lines(&short)) {
            let diff = short["diff"].as_object().unwrap();
            assert_eq!(diff.len(), 1);
            assert_eq!(diff["field_0"], long["diff"]["field_0"]);
            assert_eq!(short["meta"], long["meta"]);
            assert_eq!(short["tags"], long["tags"]);
            assert_eq!(short["note"], "x".repeat(16));
        }
    }

    #[test]
    fn spans_follow_one_another_and_end_with_a_newline() {
        let (rows, payloads) = texts(0, true, 200);
        let mut end = 0;
        for row in rows {
            let mut columns = row.trim_end().split('|').skip(6).map(|n| n.parse::<usize>().unwrap());
            let (offset, len) = (columns.next().unwrap(), columns.next().unwrap());
            assert_eq!(offset, end);
            end = offset + len;
            assert_eq!(payloads[end - 1], b'\n');
        }
        assert_eq!(end, payloads.len());
    }

    #[test]
    fn the_data_set_is_recognised_by_its_first_row_whatever_now_is() {
        for now in [NOW, 0, -5, i64::MAX] {
            for short_payloads in [false, true] {
                let mut dataset = Dataset::new(now, short_payloads);
                let first = dataset.next_row(&mut Vec::new());
                assert_eq!(recognise(&first), Some(now));
                assert_eq!(recognise(&Row { actor_id: 1, ..first }), None);
                assert_eq!(recognise(&Row { payload_len: 1, ..first }), None);
                assert_eq!(recognise(&Row { id: 2, ..first }), None);
            }
        }
    }

    #[test]
    fn a_log_at_the_end_of_time_is_not_recognised_and_does_not_overflow() {
        let mut dataset = Dataset::new(NOW, false);
        let first = dataset.next_row(&mut Vec::new());
        assert_eq!(recognise(&Row { created_at: i64::MAX, ..first }), None);
    }
}

//! Writes the contract's data set as a log: `payloads.jsonl` and `audit.db`, both or neither.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::generator::{Dataset, NOW, PAYLOAD_DIGEST, ROWS, ROWS_DIGEST, Row, SCHEMA};
use super::place::Place;
use crate::error::Error;
use crate::hash::hex;

/// Rows of one transaction. Each one writes nearly every page of the index once more, as
/// `created_at` is random: at 5,000,000 rows ten times as many transactions take twice the time.
const BATCH: u64 = 500_000;
/// Rows between two calls of `progress`.
const STEP: u64 = 10_000;
/// Payload bytes that are collected before they go to the file.
const CHUNK: usize = 1 << 20;
const INSERT: &str = "INSERT INTO audit_events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// What a seed wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeded {
    /// Rows in `audit.db`, and lines in `payloads.jsonl`.
    pub rows: u64,
    /// Length of `payloads.jsonl` in bytes.
    pub payload_bytes: u64,
    /// Length of `audit.db` in bytes.
    pub database_bytes: u64,
    /// SHA-256 of `payloads.jsonl` in hexadecimal; compare with [`super::generator::PAYLOAD_DIGEST`].
    pub payload_digest: String,
    /// SHA-256 of the rows' text in hexadecimal; compare with [`super::generator::ROWS_DIGEST`].
    pub rows_digest: String,
}

impl Seeded {
    /// Whether the digests are the contract's, where the data set of this `now` and these payloads has one: of
    /// the payloads, and with the contract's own `now` of the rows.
    pub fn is_contracts(&self, now: i64, short_payloads: bool) -> Option<bool> {
        (self.rows == ROWS && !short_payloads)
            .then(|| self.payload_digest == PAYLOAD_DIGEST && (now != NOW || self.rows_digest == ROWS_DIGEST))
    }
}

/// What a seed tells while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An earlier seed was killed here. These bytes that it left are removed, and this one starts anew.
    Anew(u64),
    /// So many rows are written.
    Written(u64),
}

/// Writes a log of that many rows into a folder, which is made if absent.
///
/// `progress` is called about every 10,000 rows, and at the end; the error that it returns ends the seed.
/// Nothing is left in the folder by a seed that fails, and no part of a log by one that is killed: what it
/// leaves is removed by the next seed, which starts anew. Going on from it would be hardly quicker, as the
/// generator has to draw every row again to come to the next, and both digests are of all rows.
///
/// Errors: `bad-request` if the folder holds a log, or a part of one, already: it is not touched.
/// `io` and `sqlite` if the folder cannot be written to.
pub fn seed(
    folder: &Path,
    now: i64,
    rows: u64,
    short_payloads: bool,
    progress: &mut dyn FnMut(Step) -> Result<(), Error>,
) -> Result<Seeded, Error> {
    let place = Place::take(folder)?;
    if place.left_over > 0 {
        progress(Step::Anew(place.left_over))?;
    }
    let mut payloads = PayloadWriter::create(&place.payloads)?;
    let mut database = Connection::open(&place.database)?;
    // The file has a temporary name until it is whole and synced, so nothing needs a journal yet.
    // The cache, 192 MiB at most, holds the index of 5,000,000 rows.
    database.execute_batch(
        "PRAGMA page_size = 4096; PRAGMA encoding = 'UTF-8'; PRAGMA journal_mode = OFF;
         PRAGMA synchronous = OFF; PRAGMA cache_size = -196608;",
    )?;
    database.execute_batch(SCHEMA)?;

    let mut dataset = Dataset::new(now, short_payloads);
    let mut rows_digest = RowsDigest::default();
    let mut done = 0;
    while done < rows {
        let batch = database.transaction()?;
        let mut insert = batch.prepare(INSERT)?;
        for _ in 0..BATCH.min(rows - done) {
            let row = dataset.next_row(&mut payloads.chunk);
            insert_row(&mut insert, &row)?;
            rows_digest.add(&row);
            payloads.write_if_full()?;
            done += 1;
            if done % STEP == 0 && done < rows {
                progress(Step::Written(done))?;
            }
        }
        drop(insert);
        // A line is complete in its file before its row is committed.
        payloads.write()?;
        batch.commit()?;
    }
    progress(Step::Written(done))?;
    database.close().map_err(|(_, e)| e)?;
    let (payload_bytes, payload_digest) = payloads.finish();
    let database_bytes = place.database.metadata().map_err(|e| Error::io(&place.database, e))?.len();
    place.publish()?;
    Ok(Seeded { rows, payload_bytes, database_bytes, payload_digest, rows_digest: rows_digest.finish() })
}

fn insert_row(insert: &mut rusqlite::Statement<'_>, row: &Row<'_>) -> rusqlite::Result<usize> {
    insert.execute(params![
        row.id,
        row.created_at,
        row.actor_id,
        row.action,
        row.resource_type,
        row.resource_id,
        row.payload_offset,
        row.payload_len,
    ])
}

struct PayloadWriter {
    path: PathBuf,
    file: File,
    chunk: Vec<u8>,
    bytes: u64,
    digest: Sha256,
}

impl PayloadWriter {
    fn create(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            file: File::create_new(path).map_err(|e| Error::io(path, e))?,
            chunk: Vec::with_capacity(CHUNK + 4096),
            bytes: 0,
            digest: Sha256::new(),
        })
    }

    fn write_if_full(&mut self) -> Result<(), Error> {
        if self.chunk.len() < CHUNK { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<(), Error> {
        self.file.write_all(&self.chunk).map_err(|e| Error::io(&self.path, e))?;
        self.digest.update(&self.chunk);
        self.bytes += self.chunk.len() as u64;
        self.chunk.clear();
        Ok(())
    }

    fn finish(self) -> (u64, String) {
        (self.bytes, hex(&self.digest.finalize()))
    }
}

#[derive(Default)]
struct RowsDigest {
    text: Vec<u8>,
    digest: Sha256,
}

impl RowsDigest {
    fn add(&mut self, row: &Row<'_>) {
        self.text.clear();
        row.write_text(&mut self.text);
        self.digest.update(&self.text);
    }

    fn finish(self) -> String {
        hex(&self.digest.finalize())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dataset::generator::{NOW, PAYLOAD_DIGEST, ROWS, ROWS_DIGEST};
    use std::fs;
    use std::process::Command;

    #[allow(clippy::unnecessary_wraps)]
    fn quiet(_: Step) -> Result<(), Error> {
        Ok(())
    }

    /// The digest of the rows as SQL reads them back.
    fn rows_read_back(database: &Path, limit: u64) -> String {
        let database = Connection::open(database).unwrap();
        let mut statement = database
            .prepare(
                "SELECT concat_ws('|', id, created_at, actor_id, action, resource_type,
                        resource_id, payload_offset, payload_len) || char(10)
                 FROM audit_events ORDER BY id LIMIT ?1",
            )
            .unwrap();
        let mut digest = Sha256::new();
        let mut rows = statement.query([i64::try_from(limit).unwrap()]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            digest.update(row.get_ref(0).unwrap().as_str().unwrap());
        }
        hex(&digest.finalize())
    }

    fn pragma(database: &Connection, name: &str) -> String {
        let value: rusqlite::types::Value =
            database.pragma_query_value(None, name, |row| row.get(0)).unwrap();
        match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_data_set_has_both_digests_of_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("made/when/absent");
        let mut steps = Vec::new();
        let seeded = seed(&folder, NOW, ROWS, false, &mut |step| {
            steps.push(step);
            Ok(())
        })
        .unwrap();
        assert_eq!(steps, [10_000, 20_000, 30_000, 40_000, 50_000].map(Step::Written));
        assert_eq!((seeded.rows, seeded.payload_bytes), (50_000, 61_024_030));
        assert_eq!(seeded.payload_digest, PAYLOAD_DIGEST);
        assert_eq!(seeded.rows_digest, ROWS_DIGEST);

        let payloads = fs::read(folder.join("payloads.jsonl")).unwrap();
        assert_eq!(hex(&Sha256::new_with_prefix(&payloads).finalize()), PAYLOAD_DIGEST);
        let path = folder.join("audit.db");
        assert_eq!(rows_read_back(&path, u64::from(u32::MAX)), ROWS_DIGEST);
        assert_eq!(fs::metadata(&path).unwrap().len(), seeded.database_bytes);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);

        let database = Connection::open(&path).unwrap();
        for (name, expected) in [
            ("journal_mode", "delete"),
            ("page_size", "4096"),
            ("encoding", "UTF-8"),
            ("integrity_check", "ok"),
        ] {
            assert_eq!(pragma(&database, name), expected, "{name}");
        }
        python_reads(&path);
    }

    /// The live writer is `CPython`'s `sqlite3`: it must be able to go on with the file.
    fn python_reads(database: &Path) {
        const SCRIPT: &str = "
import sqlite3, sys
log = sqlite3.connect(sys.argv[1])
log.execute('INSERT INTO audit_events(created_at, actor_id, action, resource_type, resource_id,'
            ' payload_offset, payload_len) VALUES (1, 1, \"LOGIN\", \"USER\", \"USER-1\", 0, 1493)')
print(*log.execute('SELECT count(*), max(id) FROM audit_events').fetchone(),
      *log.execute('PRAGMA integrity_check').fetchone(),
      *[name for _, name in sorted(log.execute('SELECT rowid, name FROM sqlite_schema'))])
";
        let Ok(output) = Command::new("python3").args(["-c", SCRIPT]).arg(database).output() else {
            return;
        };
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            "50001 50001 ok audit_events sqlite_sequence idx_created_at",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    #[test]
    fn rows_beyond_the_contract_leave_those_before_them_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let seeded = seed(folder.path(), NOW, ROWS + 10_001, false, &mut quiet).unwrap();
        assert_eq!(seeded.rows, 60_001);
        assert_eq!(rows_read_back(&folder.path().join("audit.db"), ROWS), ROWS_DIGEST);
        let payloads = fs::read(folder.path().join("payloads.jsonl")).unwrap();
        assert_eq!(hex(&Sha256::new_with_prefix(&payloads[..61_024_030]).finalize()), PAYLOAD_DIGEST);
    }

    #[test]
    fn every_span_of_a_short_log_is_one_line_of_json() {
        let folder = tempfile::tempdir().unwrap();
        let seeded = seed(folder.path(), NOW, 3_000, true, &mut quiet).unwrap();
        let payloads = fs::read(folder.path().join("payloads.jsonl")).unwrap();
        assert_eq!(seeded.payload_bytes, payloads.len() as u64);
        let database = Connection::open(folder.path().join("audit.db")).unwrap();
        let mut statement = database.prepare("SELECT payload_offset, payload_len FROM audit_events").unwrap();
        let spans = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        for (offset, len) in spans.unwrap().map(Result::unwrap) {
            let offset = usize::try_from(offset).unwrap();
            let len = usize::try_from(len).unwrap();
            let line = payloads[offset..offset + len].strip_suffix(b"\n").unwrap();
            assert!(serde_json::from_slice::<serde_json::Value>(line).unwrap().is_object());
        }
    }

    #[test]
    fn a_log_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        seed(folder.path(), NOW, 10, false, &mut quiet).unwrap();
        let before = fs::read(folder.path().join("audit.db")).unwrap();
        let error = seed(folder.path(), 0, 20, true, &mut quiet).unwrap_err();
        assert_eq!(error.code(), "bad-request");
        assert_eq!(fs::read(folder.path().join("audit.db")).unwrap(), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_interrupted_seed_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = seed(folder.path(), NOW, 100_000, true, &mut |step| {
            if step == Step::Written(60_000) { Err(Error::Interrupted) } else { Ok(()) }
        })
        .unwrap_err();
        assert_eq!(error.code(), "interrupted");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        seed(folder.path(), NOW, 10, true, &mut quiet).unwrap();
    }

    #[test]
    fn a_seed_after_a_killed_one_says_that_it_starts_anew() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [("1-audit.db", 300), ("1-payloads.jsonl", 40)] {
            fs::write(folder.path().join(format!(".keyhole-seed-{name}")), vec![0; bytes]).unwrap();
        }
        let mut steps = Vec::new();
        let seeded = seed(folder.path(), NOW, 10, true, &mut |step| {
            steps.push(step);
            Ok(())
        })
        .unwrap();
        assert_eq!(steps, [Step::Anew(340), Step::Written(10)]);
        let elsewhere = tempfile::tempdir().unwrap();
        assert_eq!(seed(elsewhere.path(), NOW, 10, true, &mut quiet).unwrap(), seeded);
    }

    #[test]
    fn a_seed_of_no_rows_is_an_empty_log() {
        let folder = tempfile::tempdir().unwrap();
        let seeded = seed(folder.path(), NOW, 0, false, &mut quiet).unwrap();
        assert_eq!((seeded.rows, seeded.payload_bytes), (0, 0));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

//! Which state of a log was read: whether it has been written to since, also by somebody else's processes.

use std::fmt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;

use crate::error::Error;
use crate::file_state::{FileState, TICK};
use crate::reader_gate::ReaderGate;

/// Where a database's header has its change counter, and how a log in WAL mode is told: bytes 18 and 19 are 2.
const HEADER: usize = 28;
const COUNTER: usize = 24;
const FORMAT: usize = 18;
const WAL: u8 = 2;

/// A write-ahead log that was written to within this time may be again without a trace: file systems keep times as
/// coarse as that.
const UNSETTLED: Duration = Duration::from_secs(2);

/// A state of a log's database. Two that are equal, and settled, are of a log that was not written to in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogVersion {
    database: FileState,
    /// SQLite's count of changes, which each commit in a rollback-journal mode raises by one.
    counter: u32,
    wal: Option<WalState>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct WalState {
    file: FileState,
    /// Drawn anew whenever the file is begun anew.
    salts: [u8; 8],
    settled: bool,
}

impl LogVersion {
    /// The version of the log's database at this path. Nothing is locked; a few microseconds.
    pub fn of(database: &Path) -> Result<Self, Error> {
        // Closing a descriptor of the database would give up the locks of all that read it: this one stays open.
        let gate = ReaderGate::of(database)?;
        let (stat, header) = gate.look::<HEADER>()?;
        let byte = |at: usize| header.get(at).copied().unwrap_or_default();
        let counter = u32::from_be_bytes([0, 1, 2, 3].map(|at| byte(COUNTER + at)));
        let wal = if byte(FORMAT) == WAL { wal_of(database)? } else { None };
        Ok(Self { database: FileState::of(&stat), counter, wal })
    }

    /// Whether the next commit will make it another one for certain.
    pub fn is_settled(&self) -> bool {
        self.wal.as_ref().is_none_or(|wal| wal.settled)
    }

    /// How many commits lie between an earlier version and this one; None where that cannot be told.
    pub fn commits_since(&self, earlier: &Self) -> Option<u32> {
        (self.database.is_file_of(&earlier.database) && self.wal.is_none() && earlier.wal.is_none())
            .then(|| self.counter.wrapping_sub(earlier.counter))
    }
}

/// What both files of a log are at this moment, as a text that any later write to one of them makes another one; None
/// where a write was so recent that the next one might leave no trace.
pub fn of_files(database: &Path, payloads: &Path) -> Result<Option<String>, Error> {
    let version = LogVersion::of(database)?;
    let stat = rustix::fs::stat(payloads).map_err(|error| Error::io(payloads, error.into()))?;
    let lines = FileState::of(&stat);
    let is_settled = version.is_settled() && lines.age().is_some_and(|age| age > TICK);
    Ok(is_settled.then(|| format!("{version} payloads {lines}")))
}

impl fmt::Display for LogVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} counter {}", self.database, self.counter)?;
        match &self.wal {
            Some(WalState { file, salts, .. }) => {
                write!(out, " wal {file} salts {}", crate::hash::hex(salts))
            }
            None => Ok(()),
        }
    }
}

/// The state of the write-ahead log beside a database; None where there is none, or it is empty.
fn wal_of(database: &Path) -> Result<Option<WalState>, Error> {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    let path = PathBuf::from(path);
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    // Nobody locks the write-ahead log itself: it may be closed again.
    let file = match std::fs::File::options().read(true).custom_flags(flags).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(&path, error)),
    };
    let stat = rustix::fs::fstat(&file).map_err(|error| Error::io(&path, error.into()))?;
    let (mut salts, file_state) = ([0; 8], FileState::of(&stat));
    match file.read_exact_at(&mut salts, 16) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(Error::io(&path, error)),
    }
    let modified = u64::try_from(stat.st_mtime).unwrap_or_default();
    let age = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_secs(modified));
    let settled = age.is_ok_and(|age| age > UNSETTLED + Duration::from_secs(1));
    Ok(Some(WalState { file: file_state, salts, settled }))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// A database in this journal mode, with a writer that has it open.
    fn database(mode: &str) -> (tempfile::TempDir, PathBuf, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        let writer = Connection::open(&path).unwrap();
        writer.query_row(&format!("PRAGMA journal_mode={mode}"), [], |row| row.get::<_, String>(0)).unwrap();
        writer
            .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 1)")
            .unwrap();
        (folder, path, writer)
    }

    #[test]
    fn every_commit_makes_another_version_in_every_journal_mode_and_reading_makes_none() {
        for mode in ["delete", "truncate", "persist", "memory", "off", "wal"] {
            let (_folder, path, writer) = database(mode);
            let mut before = LogVersion::of(&path).unwrap();
            for sql in [
                "UPDATE t SET x = 2",
                "UPDATE t SET x = 3",
                "INSERT INTO t VALUES (NULL, 4)",
                "DELETE FROM t",
            ] {
                writer.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap();
                assert_eq!(LogVersion::of(&path).unwrap(), before, "{mode}: reading");
                writer.execute_batch(sql).unwrap();
                let after = LogVersion::of(&path).unwrap();
                assert_ne!(after, before, "{mode}: {sql}");
                assert_ne!(after.to_string(), before.to_string(), "{mode}: {sql}");
                let commits = (mode != "wal").then_some(1);
                assert_eq!(after.commits_since(&before), commits, "{mode}: {sql}");
                before = after;
            }
        }
    }

    #[test]
    fn a_write_ahead_log_that_was_just_written_to_is_not_settled_and_one_at_rest_is() {
        let (_folder, path, writer) = database("wal");
        assert!(!LogVersion::of(&path).unwrap().is_settled());
        let wal = std::fs::File::options().write(true).open(path.with_file_name("audit.db-wal")).unwrap();
        wal.set_modified(SystemTime::now() - Duration::from_secs(10)).unwrap();
        assert!(LogVersion::of(&path).unwrap().is_settled());
        drop(writer);
        assert!(
            LogVersion::of(&path).unwrap().is_settled(),
            "the last to close it took the write-ahead log along"
        );
    }

    #[test]
    fn a_copy_put_in_place_is_another_version_whatever_its_times_say() {
        let (_folder, path, writer) = database("delete");
        drop(writer);
        let (bytes, before) = (std::fs::read(&path).unwrap(), LogVersion::of(&path).unwrap());
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        // In place, the same bytes under the same time: somebody wrote nevertheless.
        std::thread::sleep(Duration::from_millis(20));
        std::fs::write(&path, &bytes).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        let rewritten = LogVersion::of(&path).unwrap();
        assert_ne!(rewritten, before);
        std::fs::write(path.with_file_name("copy"), &bytes).unwrap();
        std::fs::rename(path.with_file_name("copy"), &path).unwrap();
        let renamed = LogVersion::of(&path).unwrap();
        assert_ne!(renamed, rewritten);
        assert_eq!(renamed.commits_since(&rewritten), None);
    }
}

//! A log as a folder of two files: the database, and the payloads beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::authorizer::Authorizer;
use crate::budget::Budget;
use crate::connection::{self, Use, classify, patiently};
use crate::error::Error;
use crate::files::SYMBOLIC_LINK;
use crate::fingerprints;
use crate::grants::EVENTS;
use crate::limits::HOST_WAIT;

/// The contract's columns.
pub const COLUMNS: [&str; 8] = [
    "id",
    "created_at",
    "actor_id",
    "action",
    "resource_type",
    "resource_id",
    "payload_offset",
    "payload_len",
];

/// A log: a folder that holds `audit.db` and `payloads.jsonl`. It is only ever read.
#[derive(Clone, Debug)]
pub struct Log {
    /// The database, as an absolute path without symbolic links.
    pub database: PathBuf,
    /// The payload file.
    pub payloads: PathBuf,
    /// What is known of its events.
    pub(super) fingerprints: fingerprints::Shared,
}

impl Log {
    /// Finds the log in a folder and checks that it has the contract's table and index.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let absent = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => Error::NoLog { path: folder.join("audit.db") },
            _ => Error::io(folder, source),
        };
        let folder = folder.canonicalize().map_err(absent)?;
        std::fs::metadata(folder.join("audit.db")).map_err(absent)?;
        let log = Self {
            database: folder.join("audit.db"),
            payloads: folder.join("payloads.jsonl"),
            fingerprints: fingerprints::Shared::default(),
        };
        for path in [&log.database, &log.payloads] {
            let metadata = std::fs::symlink_metadata(path).map_err(|source| Error::io(path, source))?;
            if metadata.is_symlink() {
                return Err(Error::bad_log(path, SYMBOLIC_LINK));
            }
            if !metadata.is_file() {
                return Err(Error::bad_log(path, "not a regular file"));
            }
        }
        check_schema(&log)?;
        Ok(log)
    }

    /// Forgets what is known of its events: its history was changed, or may have been.
    pub fn forget_events(&self) {
        self.fingerprints.forget();
    }

    /// A name for the log's place, for folders that belong to one log.
    pub fn place_digest(&self) -> String {
        use std::os::unix::ffi::OsStrExt;
        crate::hash::hex(&Sha256::digest(self.database.as_os_str().as_bytes()))
    }
}

/// Checks that the database has the contract's table, as a table, and its index.
fn check_schema(log: &Log) -> Result<(), Error> {
    let authorizer = Authorizer::of_host();
    let budget = Arc::new(Budget::default());
    let connection =
        patiently(HOST_WAIT, || connection::open(Use::Log(&log.database), &authorizer, &budget))?;
    let bad = |what: String| Error::BadLog { path: log.database.clone(), what };
    patiently(HOST_WAIT, || {
        let run = || -> rusqlite::Result<(Vec<String>, bool)> {
            let mut columns = connection
                .prepare("SELECT name FROM pragma_table_info(?1, 'log') WHERE ?1 IN (SELECT name FROM log.sqlite_schema WHERE type = 'table')")?;
            let names = columns.query_map([EVENTS], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
            let index = connection.query_row(
                "SELECT count(*) FROM pragma_index_list(?1, 'log') WHERE name = 'idx_created_at' AND NOT partial \
                 AND (SELECT group_concat(name) FROM pragma_index_info('idx_created_at', 'log')) = 'created_at'",
                [EVENTS],
                |row| row.get::<_, i64>(0),
            )?;
            Ok((names, index == 1))
        };
        let (names, indexed) = run().map_err(|error| classify(error, &log.database))?;
        if names.is_empty() {
            return Err(bad(format!("it has no table {EVENTS}")));
        }
        let missing: Vec<&str> =
            COLUMNS.into_iter().filter(|column| !names.iter().any(|name| name == column)).collect();
        if !missing.is_empty() {
            return Err(bad(format!("table {EVENTS} has no column {}", missing.join(", "))));
        }
        if !indexed {
            return Err(bad("it has no index idx_created_at on (created_at)".to_owned()));
        }
        Ok(())
    })
}

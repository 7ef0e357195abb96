//! A log as a folder of two files: the database, and the payloads beside it.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::files::SYMBOLIC_LINK;
use crate::limits::HOST_WAIT;
use crate::log_reader::LogReader;
use crate::{fingerprints, schema};

pub use crate::schema::COLUMNS;

/// The database of a log, in its folder.
pub const DATABASE: &str = "audit.db";

/// The payload file of a log, in its folder.
pub const PAYLOADS: &str = "payloads.jsonl";

/// All files that a log may consist of: its two, and those that SQLite puts beside the first.
pub const FILES: [&str; 5] = [DATABASE, PAYLOADS, "audit.db-journal", "audit.db-wal", "audit.db-shm"];

/// A log: a folder that holds `audit.db` and `payloads.jsonl`. It is only ever read.
#[derive(Clone, Debug)]
pub struct Log {
    /// The database, as an absolute path without symbolic links.
    pub database: PathBuf,
    /// The payload file.
    pub payloads: PathBuf,
    /// What is known of its events.
    pub(super) fingerprints: fingerprints::Shared,
    /// Where scratch of it lies, whatever the cache folder is: that of a temporary copy goes with the copy.
    own_cache: Option<PathBuf>,
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
            own_cache: None,
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
        let wrong = LogReader::open(&log.database, HOST_WAIT)?.read(schema::wrong)?;
        wrong.map_or(Ok(log.clone()), |what| Err(Error::bad_log(&log.database, what)))
    }

    /// Forgets what is known of its events: its history was changed, or may have been.
    pub fn forget_events(&self) {
        self.fingerprints.forget();
    }

    /// The same log, with a cache folder of its own for all scratch of it.
    #[must_use]
    pub(super) fn with_cache(self, folder: PathBuf) -> Self {
        Self { own_cache: Some(folder), ..self }
    }

    /// The cache folder that scratch of this log lies in: its own, if it has one, else the one that is given.
    pub fn cache<'a>(&'a self, given: &'a Path) -> &'a Path {
        self.own_cache.as_deref().unwrap_or(given)
    }

    /// A name for the log's place, for folders that belong to one log.
    pub fn place_digest(&self) -> String {
        use std::os::unix::ffi::OsStrExt;
        crate::hash::hex(&Sha256::digest(self.database.as_os_str().as_bytes()))
    }
}

//! A log as a folder of two files: the database, and the payloads beside it.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::files::SYMBOLIC_LINK;
use crate::limits::HOST_WAIT;
use crate::log_reader::LogReader;
use crate::{fingerprints, schema};

pub use crate::schema::COLUMNS;

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
        let wrong = LogReader::open(&log.database, HOST_WAIT)?.read(schema::wrong)?;
        wrong.map_or(Ok(log.clone()), |what| Err(Error::bad_log(&log.database, what)))
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

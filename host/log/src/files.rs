//! The log's two files, and how a replaced one is noticed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::log::{connection, marks};

/// What is wrong with a link in a log's folder: whoever puts one there decides what is read.
pub const SYMBOLIC_LINK: &str = "it is a symbolic link: name the folder that holds the file itself";

/// Which file a path leads to: another one after a rename over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The device.
    pub device: u64,
    /// The inode on it.
    pub inode: u64,
}

impl Identity {
    /// The file that the path leads to now. A symbolic link is followed.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let stat = rustix::fs::stat(path).map_err(|error| Error::io(path, error.into()))?;
        Ok(Self { device: stat.st_dev, inode: stat.st_ino })
    }

    /// The file behind this metadata.
    pub fn from_metadata(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A log: a folder that holds `audit.db` and `payloads.jsonl`. It is only ever read.
#[derive(Clone, Debug)]
pub struct Log {
    /// The database, as an absolute path without symbolic links.
    pub database: PathBuf,
    /// The payload file.
    pub payloads: PathBuf,
    /// What is known of its events.
    pub(super) marks: marks::Shared,
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
            marks: marks::Shared::default(),
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
        connection::check_schema(&log)?;
        Ok(log)
    }

    /// A name for the log's place, for folders that belong to one log.
    pub fn place_digest(&self) -> String {
        use std::os::unix::ffi::OsStrExt;
        crate::hex(&Sha256::digest(self.database.as_os_str().as_bytes()))
    }
}

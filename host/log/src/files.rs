//! Which file lies at a path: how one that was replaced is noticed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::Error;

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

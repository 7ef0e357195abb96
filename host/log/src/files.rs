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

/// A path as SQLite opens it, with parameters.
pub(super) fn uri(path: &Path, parameters: &str) -> String {
    format!("file:{}?{parameters}", percent_encoded(path))
}

/// A path inside a URI: every byte that a URI gives a meaning to is escaped.
fn percent_encoded(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut uri, &byte| {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_a_uri_is_escaped() {
        assert_eq!(uri(Path::new("/a-b_c.d~e/%?é"), "mode=ro"), "file:/a-b_c.d~e/%25%3F%C3%A9?mode=ro");
    }
}

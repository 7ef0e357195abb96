//! Files of the state folder: read whole up to a bound, and put in place whole or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::decisions::no_links;
use keyhole_log::error::Error;

/// The text of a file of the state folder; None where there is none.
pub(super) fn read(path: &Path, most: u64) -> Result<Option<String>, Error> {
    let bad = |what: String| Error::BadState { path: path.to_owned(), what };
    let mut text = String::new();
    let opened = File::options().read(true).custom_flags(no_links()).open(path);
    match opened.and_then(|file| file.take(most + 1).read_to_string(&mut text)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(bad("it is not text".into())),
        Err(source) => Err(Error::io(path, source)),
        Ok(bytes) if bytes as u64 > most => Err(bad(format!("it is larger than {most} bytes"))),
        Ok(_) => Ok(Some(text)),
    }
}

/// Whether it is a SHA-256 in hex, as the files of the state folder have it.
pub(super) fn is_digest(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 64 && text.bytes().all(is_digit)
}

/// Puts a file in place, whole or not at all.
pub(super) fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::io(path, source);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    // Private to its owner, as the file that takes its name will be.
    let mut part = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    part.write_all(bytes).map_err(failed)?;
    part.as_file().sync_all().map_err(failed)?;
    part.persist(path).map_err(|error| Error::io(path, error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

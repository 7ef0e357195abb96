//! How much disk a scratch uses, the files that SQLite keeps without a name included.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rusqlite::Connection;

use keyhole_log::error::Error;

/// Bytes of the database, its write-ahead log, and this process's temporary files.
pub(super) fn used(database: &Path) -> u64 {
    named(database) + unlinked()
}

/// Bytes of the database and its write-ahead log.
pub(super) fn named(database: &Path) -> u64 {
    let mut bytes = 0;
    for suffix in ["", "-wal", "-journal"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        bytes += fs::metadata(&name).map_or(0, |metadata| metadata.len());
    }
    bytes
}

/// Removes the database of the scratch in a folder, with what belongs to it. Only with the refresher's lock held.
pub(super) fn remove(folder: &Path) -> Result<(), Error> {
    for name in ["scratch.db", "scratch.db-wal", "scratch.db-shm", "scratch.db-journal"] {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(&path, source));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Where SQLite puts temporary files. It has one such setting a process, which must not change while
/// a connection may use it: so it is the first refresh's, for good.
static TEMPORARY: OnceLock<PathBuf> = OnceLock::new();

/// Has the temporary files of refreshes lie in the cache, where an operator expects them.
pub fn keep_temporary_files_beside(connection: &Connection, scratch: &Path) -> rusqlite::Result<()> {
    static SETTING: Mutex<()> = Mutex::new(());
    let _setting = SETTING.lock().unwrap_or_else(PoisonError::into_inner);
    if TEMPORARY.get().is_none() {
        let quoted = scratch.display().to_string().replace('\'', "''");
        connection.execute_batch(&format!("PRAGMA temp_store_directory='{quoted}'"))?;
        // Nobody else sets it: the lock is held.
        let _ = TEMPORARY.set(scratch.to_owned());
    }
    if let Some(folder) = TEMPORARY.get() {
        // The cache may have been deleted. SQLite would go on in the system's folder for such files.
        let _ = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    }
    connection.execute_batch("PRAGMA temp_store=FILE")
}

/// SQLite keeps no names of its temporary files: it opens them without one, or unlinks them at once. Only
/// the process's own table of open files still shows them, wherever they lie.
fn unlinked() -> u64 {
    let Ok(descriptors) = fs::read_dir("/proc/self/fd") else { return 0 };
    descriptors
        .filter_map(Result::ok)
        .filter(|entry| fs::read_link(entry.path()).is_ok_and(|target| is_temporary(&target)))
        .filter_map(|entry| fs::metadata(entry.path()).ok())
        .filter(|metadata| metadata.nlink() == 0)
        .map(|metadata| metadata.len())
        .sum()
}

/// A file without a name is shown as `#` and its number; one that was unlinked under the name that SQLite
/// gave it.
fn is_temporary(target: &Path) -> bool {
    let name = target.file_name().map(OsStr::as_encoded_bytes);
    name.is_some_and(|name| name.starts_with(b"etilqs_") || name.starts_with(b"#"))
}

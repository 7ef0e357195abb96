//! How much disk a scratch uses, the files that SQLite has unlinked already included.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rusqlite::Connection;

/// Bytes of the database, its write-ahead log, and this process's temporary files.
pub fn used(database: &Path) -> u64 {
    let mut bytes = 0;
    for suffix in ["", "-wal", "-journal"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        bytes += fs::metadata(&name).map_or(0, |metadata| metadata.len());
    }
    bytes + unlinked()
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

/// SQLite unlinks its temporary files as soon as it has opened them: only the process's own table of
/// open files still shows them, under the name that SQLite gives them, wherever they lie.
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

fn is_temporary(target: &Path) -> bool {
    target.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"etilqs_"))
}

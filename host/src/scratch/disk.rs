//! How much disk a scratch uses, the files that SQLite has unlinked already included.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rusqlite::Connection;

/// Bytes of the database, its write-ahead log, and this process's temporary files.
pub fn used(database: &Path) -> u64 {
    let mut bytes = 0;
    for suffix in ["", "-wal", "-journal"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        bytes += std::fs::metadata(&name).map_or(0, |metadata| metadata.len());
    }
    bytes + TEMPORARY.get().map_or(0, |folder| unlinked_in(folder))
}

/// Where SQLite puts temporary files. It has one such setting a process, which must not change while
/// a connection may use it: so it is set once, by the first refresh.
static TEMPORARY: OnceLock<PathBuf> = OnceLock::new();

/// Has the temporary files of refreshes lie in the cache, where they are counted.
pub fn keep_temporary_files_beside(connection: &Connection, scratch: &Path) -> rusqlite::Result<()> {
    static SETTING: Mutex<()> = Mutex::new(());
    let _setting = SETTING.lock().unwrap_or_else(PoisonError::into_inner);
    if TEMPORARY.get().is_none() {
        let folder = scratch.parent().unwrap_or(scratch);
        let quoted = folder.display().to_string().replace('\'', "''");
        connection.execute_batch(&format!("PRAGMA temp_store_directory='{quoted}'"))?;
        // Nobody else sets it: the lock is held.
        let _ = TEMPORARY.set(folder.to_owned());
    }
    connection.execute_batch("PRAGMA temp_store=FILE")
}

/// SQLite unlinks its temporary files as soon as it has opened them: only the process's own table of
/// open files still shows them.
fn unlinked_in(folder: &Path) -> u64 {
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    descriptors
        .filter_map(Result::ok)
        .filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(folder)))
        .filter_map(|entry| std::fs::metadata(entry.path()).ok())
        .filter(|metadata| metadata.nlink() == 0)
        .map(|metadata| metadata.len())
        .sum()
}

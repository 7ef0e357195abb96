//! How much disk a scratch uses, the files that SQLite has unlinked already included.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes of the database, its write-ahead log, and this process's temporary files beside it.
pub fn used(database: &Path) -> u64 {
    let mut bytes = 0;
    for suffix in ["", "-wal", "-journal"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        bytes += std::fs::metadata(&name).map_or(0, |metadata| metadata.len());
    }
    bytes + database.parent().map_or(0, unlinked_in)
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

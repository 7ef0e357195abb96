//! Where a new log is put together: under temporary names in its own folder, then in place at once.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::error::Error;
use crate::folder::{DATABASE, FILES, PAYLOADS};
use crate::temporary::Entry;

/// Every temporary name starts with this: a seed that was killed leaves nothing that the next one
/// does not recognise.
const TEMPORARY: &str = ".keyhole-seed-";

/// A folder that is free for a log, held until this is dropped; what was not published is removed.
pub(super) struct Place {
    folder: PathBuf,
    /// Locked, so that two seeds of one folder cannot take each other's files for left-overs.
    handle: File,
    /// The payload file under its temporary name.
    pub(super) payloads: PathBuf,
    /// The database under its temporary name.
    pub(super) database: PathBuf,
    /// Bytes that a killed seed had left, and that are gone.
    pub(super) left_over: u64,
    /// Both temporary names: they go also where the process ends before the seed has.
    _entries: [Entry; 2],
}

impl Place {
    /// Takes a folder, made if absent: removes what a killed seed left, and refuses if there is a
    /// log already.
    pub(super) fn take(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let handle = File::open(folder).map_err(|e| Error::io(folder, e))?;
        // Some file systems cannot lock a folder. The temporary names differ by process, so that
        // two seeds there fail rather than mix their files.
        if let Err(TryLockError::WouldBlock) = handle.try_lock() {
            return Err(Error::bad_request(format!(
                "another seed is writing into {}: wait until it ends, or name another folder",
                folder.display()
            )));
        }
        let left_over = remove_left_overs(folder)?;
        // A journal that an older database left behind would be rolled back into the new one.
        for name in FILES {
            let path = folder.join(name);
            if exists(&path)? {
                return Err(Error::bad_request(format!(
                    "{} exists already and is left as it is: name another folder, or move it away",
                    path.display()
                )));
            }
        }
        let temporary = |name| folder.join(format!("{TEMPORARY}{}-{name}", std::process::id()));
        let (payloads, database) = (temporary(PAYLOADS), temporary(DATABASE));
        let entries = [Entry::of_file(&payloads)?, Entry::of_file(&database)?];
        Ok(Self { folder: folder.to_owned(), handle, payloads, database, left_over, _entries: entries })
    }

    /// Puts both files in place, the database last: where it is, the log is whole. Never overwrites.
    pub(super) fn publish(self) -> Result<(), Error> {
        for path in [&self.payloads, &self.database] {
            File::open(path).and_then(|file| file.sync_all()).map_err(|e| Error::io(path, e))?;
        }
        let (payloads, database) = (self.folder.join(PAYLOADS), self.folder.join(DATABASE));
        // A second name rather than a new one: if the seed is killed before the database is in
        // place, the next one sees that this payload file is a left-over too.
        fs::hard_link(&self.payloads, &payloads)
            .or_else(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => Err(e),
                _ => rename(&self.payloads, &payloads),
            })
            .map_err(|e| Error::io(&payloads, e))?;
        let placed = self.sync().and_then(|()| {
            // File systems without such a rename have links.
            rename(&self.database, &database).or_else(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => Err(e),
                _ => fs::hard_link(&self.database, &database),
            })
        });
        if let Err(e) = placed {
            remove(&payloads)?;
            return Err(Error::io(&database, e));
        }
        remove(&self.payloads)?;
        remove(&self.database)?;
        self.sync().map_err(|e| Error::io(&self.folder, e))
    }

    fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next seed.
        let _ = remove(&self.payloads);
        let _ = remove(&self.database);
    }
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Removes what a killed seed left, and returns how many bytes that was.
fn remove_left_overs(folder: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    let unfinished = !exists(&folder.join(DATABASE))?;
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(TEMPORARY) {
            continue;
        }
        let payloads = folder.join(PAYLOADS);
        if unfinished && name.ends_with(PAYLOADS) && is_same_file(&path, &payloads) {
            remove(&payloads)?;
        }
        bytes += fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
        remove(&path)?;
    }
    Ok(bytes)
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::symlink_metadata(one), fs::symlink_metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

fn exists(path: &Path) -> Result<bool, Error> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io(path, e)),
    }
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io(path, e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn write(place: &Place) {
        fs::write(&place.payloads, "payloads").unwrap();
        fs::write(&place.database, "database").unwrap();
    }

    #[test]
    fn publishing_leaves_the_two_files_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::take(folder.path()).unwrap();
        write(&place);
        place.publish().unwrap();
        assert_eq!(names(folder.path()), ["audit.db", "payloads.jsonl"]);
        assert_eq!(fs::read(folder.path().join("audit.db")).unwrap(), b"database");
        assert_eq!(fs::metadata(folder.path().join("audit.db")).unwrap().nlink(), 1);
        assert_eq!(fs::metadata(folder.path().join("payloads.jsonl")).unwrap().nlink(), 1);
    }

    #[test]
    fn what_is_not_published_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::take(folder.path()).unwrap();
        write(&place);
        drop(place);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_folder_with_a_log_or_a_part_of_one_is_refused_and_left_as_it_is() {
        for name in FILES {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), "kept").unwrap();
            let error = Place::take(folder.path()).err().unwrap();
            assert_eq!(error.code(), "bad-request");
            let text = error.to_string();
            assert!(text.contains(name) && text.contains("name another folder"), "{text}");
            assert_eq!(names(folder.path()), [name]);
            assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"kept");
        }
    }

    #[test]
    fn a_link_to_nowhere_counts_as_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("audit.db")).unwrap();
        assert!(Place::take(folder.path()).is_err());
    }

    #[test]
    fn a_file_that_appears_while_a_seed_runs_is_not_overwritten() {
        for name in [DATABASE, PAYLOADS] {
            let folder = tempfile::tempdir().unwrap();
            let place = Place::take(folder.path()).unwrap();
            write(&place);
            fs::write(folder.path().join(name), "kept").unwrap();
            assert_eq!(place.publish().err().unwrap().code(), "io");
            assert_eq!(names(folder.path()), [name]);
            assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"kept");
        }
    }

    #[test]
    fn two_seeds_of_one_folder_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let first = Place::take(folder.path()).unwrap();
        write(&first);
        assert_eq!(Place::take(folder.path()).err().unwrap().code(), "bad-request");
        first.publish().unwrap();
    }

    #[test]
    fn left_overs_of_a_killed_seed_are_removed_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".keyhole-seed-1-audit.db", ".keyhole-seed-1-payloads.jsonl", "notes.txt"] {
            fs::write(folder.path().join(name), "left").unwrap();
        }
        drop(Place::take(folder.path()).unwrap());
        assert_eq!(names(folder.path()), ["notes.txt"]);
    }

    #[test]
    fn a_seed_killed_between_its_two_files_is_cleaned_up() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".keyhole-seed-1-payloads.jsonl");
        fs::write(&left, "left").unwrap();
        fs::hard_link(&left, folder.path().join(PAYLOADS)).unwrap();
        drop(Place::take(folder.path()).unwrap());
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_seed_killed_after_its_database_is_in_place_left_a_whole_log() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".keyhole-seed-1-payloads.jsonl");
        fs::write(&left, "payloads").unwrap();
        fs::hard_link(&left, folder.path().join(PAYLOADS)).unwrap();
        fs::write(folder.path().join(DATABASE), "database").unwrap();
        assert!(Place::take(folder.path()).is_err());
        assert_eq!(names(folder.path()), ["audit.db", "payloads.jsonl"]);
    }
}

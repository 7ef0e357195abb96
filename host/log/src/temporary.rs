//! Files and folders that go with the run: on every way out of it, also where a signal ends it before the work that
//! made them has come to an end.
//!
//! Each is removed when it is dropped. What a thread still holds when the process ends is in the register, and
//! [`remove_all`] removes it. Only `kill -9` and a lost machine leave one, under a name that says whose it is.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::getuid;
use tempfile::{Builder, NamedTempFile, TempDir};

use crate::error::Error;

/// What every name begins with.
const PREFIX: &str = ".keyhole-";

/// What the name of an unfinished file ends with.
const SUFFIX: &str = ".part";

/// How often a folder is tried that another thread still puts files into, and how long between two tries.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(10);

/// A folder that is younger may be about to be locked by the run that made it.
const YOUNG: Duration = Duration::from_mins(1);

/// What is there, by number.
struct Register {
    next: u64,
    places: BTreeMap<u64, PathBuf>,
    /// The process ends: nothing is made or put in place any more.
    over: bool,
}

static REGISTER: Mutex<Register> = Mutex::new(Register { next: 0, places: BTreeMap::new(), over: false });

fn register() -> MutexGuard<'static, Register> {
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all that is left, and keeps any more from being made or put in place: for the end of the process.
pub fn remove_all() {
    let mut register = register();
    register.over = true;
    for place in std::mem::take(&mut register.places).into_values() {
        for _ in 0..TRIES {
            let removed = match fs::symlink_metadata(&place) {
                Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&place),
                Ok(_) => fs::remove_file(&place),
                Err(_) => break,
            };
            if removed.is_ok() {
                break;
            }
            std::thread::sleep(BETWEEN);
        }
    }
}

/// A place in the register, until it is dropped.
#[derive(Debug)]
pub(crate) struct Entry(u64);

impl Entry {
    /// A file that its owner makes and removes itself.
    pub(crate) fn of_file(path: &Path) -> Result<Self, Error> {
        let entered = Self::of(|| Ok(()), |()| path.to_owned());
        entered.map(|((), entry)| entry).map_err(|error| error.at(path))
    }

    /// Makes something and enters it, as one step.
    fn of<T>(
        make: impl FnOnce() -> io::Result<T>,
        place: impl FnOnce(&T) -> PathBuf,
    ) -> Result<(T, Self), MakingError> {
        let mut register = register();
        if register.over {
            return Err(MakingError::Over);
        }
        let made = make().map_err(MakingError::Io)?;
        let number = register.next;
        register.next += 1;
        register.places.insert(number, place(&made));
        Ok((made, Self(number)))
    }
}

/// Why nothing was made.
enum MakingError {
    Over,
    Io(io::Error),
}

impl MakingError {
    fn at(self, folder: &Path) -> Error {
        match self {
            Self::Over => Error::Interrupted,
            Self::Io(source) => {
                // The folder is named by the error; a name that was drawn says nothing to anyone.
                Error::io(folder, source.kind().into())
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        register().places.remove(&self.0);
    }
}

/// A folder of this run alone, of mode 0700.
#[derive(Debug)]
pub struct TemporaryFolder {
    folder: TempDir,
    /// The folder, locked: what is not locked belongs to a run that was killed.
    _lock: File,
    _entry: Entry,
}

impl TemporaryFolder {
    /// Makes one in a folder; `what` is a word of its name. Those of that word that killed runs left there go.
    ///
    /// Errors: `io` naming the folder in which it cannot be made; `interrupted` once the process ends.
    pub fn new_in(folder: &Path, what: &str) -> Result<Self, Error> {
        let prefix = format!("{PREFIX}{what}-");
        remove_left_overs(folder, &prefix);
        let made = Entry::of(
            || {
                let permissions = Permissions::from_mode(0o700);
                Builder::new().prefix(&prefix).permissions(permissions).tempdir_in(folder)
            },
            |folder| folder.path().to_owned(),
        );
        let (made, entry) = made.map_err(|error| error.at(folder))?;
        let failed = |source| Error::io(made.path(), source);
        let lock = File::open(made.path()).map_err(failed)?;
        // Some file systems cannot lock a folder. There a left-over is not told from what is in use, and stays.
        let _ = lock.try_lock();
        Ok(Self { folder: made, _lock: lock, _entry: entry })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders that killed runs of this user left: copies of log data, which nobody else would remove.
fn remove_left_overs(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let named = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    for entry in named {
        let Ok(metadata) = entry.metadata() else { continue };
        let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
        let is_own = metadata.is_dir() && metadata.uid() == getuid().as_raw();
        if is_own && age.is_some_and(|age| age > YOUNG) {
            let lock = File::open(entry.path());
            if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
                // What cannot be removed now is tried again by the next run.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// A file that is written to here and put in place when it is whole.
#[derive(Debug)]
pub struct TemporaryFile {
    file: NamedTempFile,
    _entry: Entry,
}

impl TemporaryFile {
    /// Makes one in a folder, of that mode less what the umask takes away.
    ///
    /// Errors: `io` naming the folder in which it cannot be made; `interrupted` once the process ends.
    pub fn new_in(folder: &Path, mode: u32) -> Result<Self, Error> {
        let made = Entry::of(
            || {
                let permissions = Permissions::from_mode(mode);
                Builder::new().prefix(PREFIX).suffix(SUFFIX).permissions(permissions).tempfile_in(folder)
            },
            |file| file.path().to_owned(),
        );
        let (file, entry) = made.map_err(|error| error.at(folder))?;
        Ok(Self { file, _entry: entry })
    }

    /// Where it is until it is put in place.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The file itself.
    pub fn as_file(&self) -> &File {
        self.file.as_file()
    }

    /// Syncs it, gives it that name in its folder, and syncs the folder. A file of that name is replaced, or, where
    /// none may be, left with the error that there is one.
    pub fn put(self, path: &Path, replace: bool) -> Result<(), Error> {
        let failed = |source| Error::io(path, source);
        self.file.as_file().sync_all().map_err(failed)?;
        {
            let register = register();
            if register.over {
                return Err(Error::Interrupted);
            }
            let put = if replace { self.file.persist(path) } else { self.file.persist_noclobber(path) };
            put.map_err(|error| failed(error.error))?;
            drop(register);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

impl Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn count(folder: &Path) -> usize {
        folder.read_dir().unwrap().count()
    }

    #[test]
    fn what_is_not_put_in_place_goes_and_what_is_stays() {
        let place = tempfile::tempdir().unwrap();
        let mut file = TemporaryFile::new_in(place.path(), 0o640).unwrap();
        file.write_all(b"whole").unwrap();
        let path = file.path().to_owned();
        assert!(path.file_name().unwrap().to_str().unwrap().starts_with(PREFIX));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        drop(file);
        assert_eq!(count(place.path()), 0);

        let mut file = TemporaryFile::new_in(place.path(), 0o600).unwrap();
        file.write_all(b"whole").unwrap();
        file.put(&place.path().join("result"), false).unwrap();
        assert_eq!(fs::read(place.path().join("result")).unwrap(), b"whole");

        let second = TemporaryFile::new_in(place.path(), 0o600).unwrap();
        let error = second.put(&place.path().join("result"), false).unwrap_err();
        assert_eq!(error.code(), "io");
        assert_eq!(fs::read(place.path().join("result")).unwrap(), b"whole");
        let second = TemporaryFile::new_in(place.path(), 0o600).unwrap();
        second.put(&place.path().join("result"), true).unwrap();
        assert_eq!(fs::read(place.path().join("result")).unwrap(), b"");
        assert_eq!(count(place.path()), 1);
    }

    #[test]
    fn a_folder_goes_with_all_that_is_in_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = TemporaryFolder::new_in(place.path(), "copy").unwrap();
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir(folder.path().join("scratch")).unwrap();
        fs::write(folder.path().join("scratch/tables"), "rows").unwrap();
        drop(folder);
        assert_eq!(count(place.path()), 0);
    }

    #[test]
    fn what_a_killed_run_left_goes_with_the_next_and_what_is_in_use_or_young_or_foreign_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        for name in [".keyhole-copy-old", ".keyhole-copy-used", ".keyhole-copy-young", ".keyhole-audit-old"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("rows"), "rows").unwrap();
            if !name.ends_with("young") {
                let then = std::time::SystemTime::now() - YOUNG * 2;
                File::open(path(name)).unwrap().set_modified(then).unwrap();
            }
        }
        let used = File::open(path(".keyhole-copy-used")).unwrap();
        used.try_lock().unwrap();
        let mut expected = [".keyhole-copy-used", ".keyhole-copy-young", ".keyhole-audit-old"].map(path);
        drop(TemporaryFolder::new_in(place.path(), "copy").unwrap());
        let mut left: Vec<_> = place.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        left.sort();
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn a_folder_that_is_no_place_for_it_is_named() {
        let place = tempfile::tempdir().unwrap();
        let nowhere = place.path().join("nowhere");
        let error = TemporaryFile::new_in(&nowhere, 0o600).unwrap_err();
        assert_eq!(error.place(), Some(nowhere.as_path()));
        assert_eq!(error.to_string(), format!("there is no file {}", nowhere.display()));
        assert!(TemporaryFolder::new_in(&nowhere, "copy").is_err());
    }
}

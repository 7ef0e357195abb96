//! Where the attacks take place: a small log of their own, never the operator's.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::selftest::cases::ROWS;
use keyhole_log::Log;
use keyhole_log::dataset::{generator, seed};
use keyhole_log::error::Error;
use keyhole_log::interrupt;
use keyhole_runtime::scratch::Scratch;

/// A second log's `now`, for tables that fit another log.
const ANOTHER_NOW: i64 = 1_600_000_000;

/// A folder with the log of the table of cases. Each case gets a cache of its own, and a copy of the log
/// where it changes it.
#[derive(Clone, Debug)]
pub struct Stage {
    folder: PathBuf,
}

impl Stage {
    /// Makes the log in an empty folder.
    pub fn make(folder: &Path) -> Result<Self, Error> {
        seed(&folder.join("log"), generator::NOW, ROWS, false, &mut |_| interrupt::check())?;
        Ok(Self::at(folder))
    }

    /// The stage that was made in the folder.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The log, which every case that only reads shares.
    pub fn log(&self) -> Result<Log, Error> {
        Log::open(&self.folder.join("log"))
    }

    /// An empty folder for one case.
    pub fn place(&self, name: &str) -> Result<Place, Error> {
        let folder = self.folder.join(name);
        fs::create_dir(&folder).map_err(|source| Error::io(&folder, source))?;
        Ok(Place { folder })
    }
}

/// One case's folder; gone with it.
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// Where its scratch lies.
    pub fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// A copy of the log, for a case that changes it.
    pub fn copy_of(&self, log: &Log) -> Result<Log, Error> {
        let folder = self.folder.join("log");
        fs::create_dir(&folder).map_err(|source| Error::io(&folder, source))?;
        for file in [&log.database, &log.payloads] {
            let copy = folder.join(file.file_name().unwrap_or_default());
            fs::copy(file, &copy).map_err(|source| Error::io(&copy, source))?;
        }
        Log::open(&folder)
    }

    /// Another log of the same size.
    pub fn another_log(&self) -> Result<Log, Error> {
        let folder = self.folder.join("another");
        seed(&folder, ANOTHER_NOW, ROWS, false, &mut |_| interrupt::check())?;
        Log::open(&folder)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed now goes with the whole stage.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Appends an event that is newer than all others.
pub fn grow(log: &Log) -> Result<(), Error> {
    let line = "{\"appended\": true}\n";
    let end = fs::metadata(&log.payloads).map_err(|source| Error::io(&log.payloads, source))?.len();
    fs::File::options()
        .write(true)
        .open(&log.payloads)
        .and_then(|file| file.write_all_at(line.as_bytes(), end))
        .map_err(|source| Error::io(&log.payloads, source))?;
    Connection::open(&log.database)?.execute(
        "INSERT INTO audit_events (created_at, actor_id, action, resource_type, resource_id, payload_offset, \
         payload_len) SELECT max(created_at) + 1, 1, 'LOGIN', 'ORDER', 'ORDER-1', ?1, ?2 FROM audit_events",
        (end.cast_signed(), i64::try_from(line.len()).unwrap_or(i64::MAX)),
    )?;
    Ok(())
}

/// Puts the tables of one scratch in the place of another's.
pub fn swap(from: &Scratch, to: &Scratch) -> Result<(), Error> {
    fs::copy(from.path(), to.path()).map(drop).map_err(|source| Error::io(to.path(), source))
}

/// Overwrites a scratch, all but its first page.
pub fn damage(scratch: &Scratch) -> Result<(), Error> {
    let overwrite = || -> std::io::Result<()> {
        let file = fs::File::options().write(true).open(scratch.path())?;
        let pages = file.metadata()?.len() / 4096;
        (1..pages).try_for_each(|page| file.write_all_at(&[0xff; 4096], page * 4096))
    };
    overwrite().map_err(|source| Error::io(scratch.path(), source))
}

//! In which way a log can be read as it lies now, so that nothing in its folder is made, written or removed.
//!
//! In a rollback-journal mode SQLite's reader touches nothing but locks. In WAL mode it would make the side files
//! that it does not find, and keep the database locked for as long as it is open. So each way that is safe is told
//! apart here, by the database's header and by what lies beside it; where none is, the log is refused.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::{Access as Permission, FileType, Stat};
use rustix::io::Errno;

use crate::error::Error;
use crate::file_state::{FileState, TICK};
use crate::files::SYMBOLIC_LINK;
use crate::reader_gate::ReaderGate;

/// SQLite's header, at the beginning of the database.
const HEADER_BYTES: usize = 100;

/// Where the header says in which mode the database is to be read: 2 is WAL.
const READ_VERSION: usize = 19;

/// Where the header says how texts are encoded, as four bytes: 1 is UTF-8, 2 and 3 are UTF-16LE and UTF-16BE.
const ENCODING: std::ops::Range<usize> = 56..60;

/// How a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A rollback-journal mode: under SQLite's locks.
    Locked,
    /// WAL mode with both side files there: a writer has it open, or left them. They are opened for reading, and the
    /// connection is closed with each snapshot: an open one keeps the writer from ending WAL mode, and from
    /// tidying up when it closes.
    Shared,
    /// WAL mode with an empty or no `-wal`: all that was committed stands in the database, which is read without a
    /// lock and without a look at anything beside it. What was read holds where this has not changed after it.
    AtRest(FileState),
}

impl Access {
    /// The way in which the database can be read now, whose gate this is. `Busy` where that cannot be told yet.
    ///
    /// Sure only while nobody can remove the side files: see `Hold`.
    pub(super) fn of(gate: &ReaderGate, database: &Path) -> Result<Self, Error> {
        let wal_mode = check_header(gate, database)?;
        let beside = Beside::of(database)?;
        let access = match &beside {
            Beside { wal: None, .. } if !wal_mode => Self::Locked,
            Beside { wal: Some(wal), shm: Some(shm) } => {
                check_permissions(gate, database, &[(wal, "-wal"), (shm, "-shm")])?;
                Self::Shared
            }
            Beside { wal: Some(wal), shm: None } if wal.st_size > 0 => {
                return Err(Error::LogNeedsRecovery { path: database.to_owned(), what: LEFT_WAL });
            }
            _ => {
                let state = gate.file_state()?;
                // So recent that another write might leave the very same times. A time ahead of the clock is some
                // clock's mistake: the next write leaves another one.
                if state.age().is_some_and(|age| age < TICK) {
                    return Err(Error::Busy);
                }
                Self::AtRest(state)
            }
        };
        gate.note_wal(access != Self::Locked);
        Ok(access)
    }

    /// Whether a connection that was opened in this way may take its next snapshot: it is still the way, and
    /// everything that was committed since is seen.
    pub(super) fn still_holds(&self, gate: &ReaderGate, database: &Path) -> Result<bool, Error> {
        Ok(match self {
            Self::Locked => !check_header(gate, database)?,
            Self::Shared => false,
            Self::AtRest(_) => {
                self.is_proved(gate)? && Beside::of(database)?.wal.is_none_or(|wal| wal.st_size == 0)
            }
        })
    }

    /// Whether what was read in this way is one snapshot: nothing was written to the database meanwhile, or SQLite's
    /// locks have kept it apart.
    pub(super) fn is_proved(&self, gate: &ReaderGate) -> Result<bool, Error> {
        match self {
            Self::AtRest(state) => Ok(gate.file_state()? == *state),
            Self::Locked | Self::Shared => Ok(true),
        }
    }

    /// What the database is opened with, as a URI has it.
    pub(super) fn parameters(self) -> &'static str {
        match self {
            // A writer may change to WAL mode at any time: the shared memory is never written even then.
            Self::Locked | Self::Shared => "mode=ro&readonly_shm=1",
            Self::AtRest(_) => "mode=ro&immutable=1",
        }
    }
}

/// Why a `-wal` without its `-shm` is not read.
const LEFT_WAL: &str = "audit.db-wal holds commits that its writer has to take over first, and there is no audit.db-shm: \
    a writer was killed and that file removed, or this is a copy without it";

/// Checks that the database is one that Keyhole reads, before SQLite sees it: an empty one would have it remove a
/// `-wal` beside it. True where its header says WAL mode.
pub(super) fn check_header(gate: &ReaderGate, database: &Path) -> Result<bool, Error> {
    let mut header = [0_u8; HEADER_BYTES];
    let read = rustix::io::pread(gate.file(), &mut header, 0);
    let read = read.map_err(|error| Error::io(database, error.into()))?;
    if read < HEADER_BYTES {
        let what = format!("it has {read} bytes: an SQLite database has at least {HEADER_BYTES}");
        return Err(Error::bad_log(database, what));
    }
    let encoding = match header.get(ENCODING) {
        Some([0, 0, 0, 2]) => "UTF-16LE",
        Some([0, 0, 0, 3]) => "UTF-16BE",
        _ => return Ok(header.get(READ_VERSION) == Some(&2)),
    };
    let what = format!(
        "its texts are encoded as {encoding}, and Keyhole reads UTF-8 only: stop its writer, convert it with \
         `sqlite3 audit.db .dump | sqlite3 new.db`, and put the new one in its place"
    );
    Err(Error::bad_log(database, what))
}

/// The side files of WAL mode.
struct Beside {
    wal: Option<Stat>,
    shm: Option<Stat>,
}

impl Beside {
    fn of(database: &Path) -> Result<Self, Error> {
        let stat = |suffix| {
            let path = side_file(database, suffix);
            match rustix::fs::lstat(&path) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                    Err(Error::bad_log(&path, SYMBOLIC_LINK))
                }
                Ok(stat) => Ok(Some(stat)),
                Err(Errno::NOENT) => Ok(None),
                Err(error) => Err(Error::io(&path, error.into())),
            }
        };
        Ok(Self { wal: stat("-wal")?, shm: stat("-shm")? })
    }
}

fn side_file(database: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(database);
    path.push(suffix);
    path.into()
}

/// Checks that side files can be read, and that opening them changes nothing: where root does, SQLite makes the
/// database's owner theirs.
fn check_permissions(gate: &ReaderGate, database: &Path, files: &[(&Stat, &str)]) -> Result<(), Error> {
    let owner = rustix::fs::fstat(gate.file()).map_err(|error| Error::io(database, error.into()))?;
    for (stat, suffix) in files {
        let path = side_file(database, suffix);
        match rustix::fs::access(&path, Permission::READ_OK) {
            Ok(()) => {}
            // Its writer removed it just now.
            Err(Errno::NOENT) => return Err(Error::Busy),
            Err(_) => {
                let what = "this user may not read it, and a log in WAL mode is not whole without it: let the user \
                            read it, through its group for instance";
                return Err(Error::bad_log(&path, what));
            }
        }
        let is_anothers = (stat.st_uid, stat.st_gid) != (owner.st_uid, owner.st_gid);
        if is_anothers && rustix::process::geteuid().is_root() {
            let what = format!(
                "it belongs to user {}, and the database to user {}: as root, SQLite would change its owner. Run \
                 Keyhole as a user of its own",
                stat.st_uid, owner.st_uid
            );
            return Err(Error::bad_log(&path, what));
        }
    }
    Ok(())
}

//! One SQLite connection onto the log, and onto a strategy's scratch if it has one.
//!
//! The main database is an empty one in memory; scratch and the log are attached to it, so a read-only
//! log leaves scratch writable where that is wanted. The log is never opened for writing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::access::{self, Access};
use crate::authorizer::Authorizer;
use crate::budget::{Budget, STEPS_A_LOOK};
use crate::error::Error;
use crate::files::uri;
use crate::hold::Hold;
use crate::reader_gate::ReaderGate;
use crate::{lockdown, sqlite_memory, watchdog};

/// How every statement of the host's own begins, and no strategy's may.
pub const HOST: &str = "/*keyhole*/";

/// Statements that a connection keeps prepared: the host's own and a strategy's plans.
const STATEMENTS: usize = 96;

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub enum Use<'a> {
    /// Pages: the log, and scratch if there is one, both read only.
    Pages(&'a Path, Option<&'a Path>),
    /// A refresh: scratch writable, an empty private `feed`, and no log.
    Refresh(&'a Path),
    /// The host's own reading of the log, for the feed and for summaries.
    Log(&'a Path),
}

/// A connection onto an empty database in memory, with nothing attached. SQLite follows no symbolic link to what is
/// attached later.
pub(super) fn empty() -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE
        | OpenFlags::SQLITE_OPEN_EXRESCODE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(":memory:", flags)
}

/// An open connection.
pub(crate) struct Opened {
    /// The connection.
    pub(crate) connection: Connection,
    /// How the log is read over it; None where it has none.
    pub(crate) access: Option<Access>,
    /// What keeps the side files of WAL mode there while it is open: after it, to be dropped later.
    pub(crate) hold: Option<Arc<Hold>>,
}

/// Opens a connection for the host's own work on the scratch that lies there; it does not have the log.
pub fn to_scratch(path: &Path) -> Result<Connection, Error> {
    open(Use::Refresh(path), &Authorizer::of_host(), &Arc::default()).map(|opened| opened.connection)
}

/// Opens a connection whose statements permit the authorizer and spend the budget. This is the one way to a log.
pub(crate) fn open(
    purpose: Use<'_>,
    authorizer: &Arc<Authorizer>,
    budget: &Arc<Budget>,
) -> Result<Opened, Error> {
    sqlite_memory::count();
    // Held for as long as the connection is open, and with it the file: see there.
    let reader_gate = match purpose {
        Use::Pages(log, _) | Use::Log(log) => Some(ReaderGate::of(log)?),
        Use::Refresh(_) => None,
    };
    let mut way = None;
    let mut connection = empty()?;
    connection.busy_timeout(std::time::Duration::ZERO)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    lockdown::before_attaching(&connection)?;
    match purpose {
        Use::Pages(log, scratch) => {
            if let Some(scratch) = scratch {
                attach(&connection, &without_links(scratch)?, "mode=ro", "scratch")?;
            }
            way = reader_gate.as_deref().map(|gate| attach_log(&connection, gate, log)).transpose()?;
            connection.execute_batch("PRAGMA query_only=ON")?;
            // In memory, a sort would keep all of its rows there.
            connection.execute_batch("PRAGMA temp_store=FILE")?;
        }
        Use::Log(log) => {
            way = reader_gate.as_deref().map(|gate| attach_log(&connection, gate, log)).transpose()?;
            connection.execute_batch("PRAGMA query_only=ON; PRAGMA temp_store=MEMORY")?;
        }
        Use::Refresh(scratch) => {
            attach(&connection, &without_links(scratch)?, "mode=rwc", "scratch")?;
            // An unnamed database lives in memory until it outgrows its cache, then in a temporary
            // file that is gone with the connection.
            connection.execute("ATTACH '' AS feed", [])?;
        }
    }
    lockdown::after_attaching(&connection)?;
    budget.connect(connection.get_interrupt_handle());
    watchdog::watch(budget)?;
    let spend = Arc::clone(budget);
    let look = move || {
        let _ = &reader_gate;
        spend.spend()
    };
    connection.progress_handler(i32::try_from(STEPS_A_LOOK).unwrap_or(i32::MAX), Some(look))?;
    let judge = Arc::clone(authorizer);
    connection.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| judge.judge(context)))?;
    let (access, hold) = way.unzip();
    // Any other way has nothing to keep once it is open.
    let hold = hold.filter(|_| access == Some(Access::Shared));
    Ok(Opened { connection, access, hold })
}

/// Attaches the log as it lies now.
fn attach_log(connection: &Connection, gate: &ReaderGate, path: &Path) -> Result<(Access, Arc<Hold>), Error> {
    access::check_header(gate, path)?;
    // Where it is too early to read, nothing is locked to find it out.
    if let Err(Error::Busy) = Access::of(gate, path) {
        return Err(Error::Busy);
    }
    let hold = gate.hold(path).map_err(|error| classify(error, path))?;
    let access = Access::of(gate, path)?;
    lockdown::never_checkpoint(connection)?;
    attach(connection, path, access.parameters(), "log")?;
    Ok((access, hold))
}

/// The path with its folder's symbolic links resolved: an operator may well keep the cache behind
/// one, but the database itself is never one.
fn without_links(path: &Path) -> Result<PathBuf, Error> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path.to_owned()) };
    let folder = folder.canonicalize().map_err(|source| Error::io(folder, source))?;
    Ok(folder.join(name))
}

pub(super) fn attach(
    connection: &Connection,
    path: &Path,
    parameters: &str,
    schema: &str,
) -> Result<(), Error> {
    let attach = format!("ATTACH ?1 AS {schema}");
    connection.execute(&attach, [uri(path, parameters)]).map_err(|error| classify(error, path))?;
    Ok(())
}

/// Why a log with a journal beside it is not read.
const HOT_JOURNAL: &str = "a writer was killed in mid-commit: its journal has to be rolled back first";

/// What an SQLite error means for the log.
pub fn classify(error: rusqlite::Error, path: &Path) -> Error {
    let Some(code) = error.sqlite_error() else { return Error::Sqlite(error) };
    match (code.code, code.extended_code) {
        (_, rusqlite::ffi::SQLITE_READONLY_ROLLBACK) => {
            Error::LogNeedsRecovery { path: path.to_owned(), what: HOT_JOURNAL }
        }
        // A writer has just opened the shared memory of WAL mode, and not filled it yet.
        (_, rusqlite::ffi::SQLITE_READONLY_RECOVERY | rusqlite::ffi::SQLITE_READONLY_CANTINIT)
        | (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed, _) => {
            Error::Busy
        }
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::CannotOpen, _) => {
            Error::BadLog { path: path.to_owned(), what: error.to_string() }
        }
        _ => Error::Sqlite(error),
    }
}

/// Retries while the writer commits, in steps of about 100 µs, up to `wait`.
pub fn patiently<T>(
    wait: std::time::Duration,
    mut attempt: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let (mut began, mut left) = (None, false);
    loop {
        match attempt() {
            // SQLite takes a journal for one that was left where its writer removes it between two looks: once only.
            Err(Error::LogNeedsRecovery { .. }) if !left => {
                left = true;
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            Err(Error::Busy) => {
                let began = *began.get_or_insert_with(std::time::Instant::now);
                if began.elapsed() >= wait {
                    return Err(Error::Busy);
                }
                crate::interrupt::check()?;
                std::thread::sleep(std::time::Duration::from_micros(100));
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rusqlite::ffi;

    use super::*;

    #[test]
    fn a_path_is_one_whatever_a_uri_would_make_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a ?mode=rwc#%41&é.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let connection = empty().unwrap();
        attach(&connection, &path, "mode=ro", "log").unwrap();
        assert!(connection.is_readonly("log").unwrap());
        assert_eq!(connection.query_row("SELECT count(*) FROM log.t", [], |row| row.get::<_, u32>(0)), Ok(0));
    }

    #[test]
    fn a_scratch_may_lie_behind_a_link_and_be_none() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("link")).unwrap();
        let real = folder.path().canonicalize().unwrap().join("scratch.db");
        assert_eq!(without_links(&folder.path().join("link/scratch.db")).unwrap(), real);
        assert_eq!(without_links(Path::new("/")).unwrap(), Path::new("/"));
    }

    #[test]
    fn each_error_of_sqlite_means_something_for_the_log() {
        let told = |code| {
            classify(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None), Path::new("audit.db"))
                .code()
        };
        for (code, meaning) in [
            (ffi::SQLITE_READONLY_ROLLBACK, "log-needs-recovery"),
            (ffi::SQLITE_BUSY, "busy"),
            (ffi::SQLITE_LOCKED, "busy"),
            (ffi::SQLITE_CORRUPT, "bad-log"),
            (ffi::SQLITE_NOTADB, "bad-log"),
            (ffi::SQLITE_CANTOPEN, "bad-log"),
            (ffi::SQLITE_READONLY, "sqlite"),
            (ffi::SQLITE_ERROR, "sqlite"),
        ] {
            assert_eq!(told(code), meaning, "{code}");
        }
    }

    #[test]
    fn what_is_busy_is_tried_again_until_the_wait_is_over() {
        let mut tries = 0;
        let third = patiently(Duration::from_mins(1), || {
            tries += 1;
            if tries < 3 { Err(Error::Busy) } else { Ok(tries) }
        });
        assert_eq!(third.unwrap(), 3);
        let began = Instant::now();
        assert!(matches!(
            patiently(Duration::from_millis(20), || Err::<(), _>(Error::Busy)),
            Err(Error::Busy)
        ));
        assert!(began.elapsed() >= Duration::from_millis(20));
        let mut tries = 0;
        let other = patiently(Duration::from_mins(1), || -> Result<(), Error> {
            tries += 1;
            Err(Error::Cancelled)
        });
        assert!(matches!(other, Err(Error::Cancelled)) && tries == 1);
    }
}

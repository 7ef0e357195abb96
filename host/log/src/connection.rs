//! One SQLite connection onto the log, and onto a strategy's scratch if it has one.
//!
//! The main database is an empty one in memory; scratch and the log are attached to it, so a read-only
//! log leaves scratch writable where that is wanted. The log is never opened for writing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::Error;
use crate::log::Log;
use crate::log::budget::{Budget, STEPS_A_LOOK};
use crate::log::gate::{EVENTS, Gate};
use crate::log::turnstile::Turnstile;
use crate::log::{heap, lockdown, watchdog};

/// Statements that a connection keeps prepared: the host's own and a strategy's plans.
const STATEMENTS: usize = 96;

/// The contract's columns.
pub const COLUMNS: [&str; 8] = [
    "id",
    "created_at",
    "actor_id",
    "action",
    "resource_type",
    "resource_id",
    "payload_offset",
    "payload_len",
];

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub enum Use<'a> {
    /// Pages: the log, and scratch if there is one, both read only.
    Pages(&'a Log, Option<&'a Path>),
    /// A refresh: scratch writable, an empty private `feed`, and no log.
    Refresh(&'a Path),
    /// The host's own reading of the log, for the feed and for summaries.
    Log(&'a Log),
}

/// Opens a connection whose statements pass the gate and spend the budget.
pub fn open(purpose: Use<'_>, gate: &Arc<Gate>, budget: &Arc<Budget>) -> Result<Connection, Error> {
    heap::count();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE
        | OpenFlags::SQLITE_OPEN_EXRESCODE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(":memory:", flags)?;
    connection.busy_timeout(std::time::Duration::ZERO)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    lockdown::before_attaching(&connection)?;
    match purpose {
        Use::Pages(log, scratch) => {
            if let Some(scratch) = scratch {
                attach(&connection, &without_links(scratch)?, "ro", "scratch")?;
            }
            attach(&connection, &log.database, "ro", "log")?;
            connection.execute_batch("PRAGMA query_only=ON")?;
            // In memory, a sort would keep all of its rows there.
            connection.execute_batch("PRAGMA temp_store=FILE")?;
        }
        Use::Log(log) => {
            attach(&connection, &log.database, "ro", "log")?;
            connection.execute_batch("PRAGMA query_only=ON; PRAGMA temp_store=MEMORY")?;
        }
        Use::Refresh(scratch) => {
            attach(&connection, &without_links(scratch)?, "rwc", "scratch")?;
            // An unnamed database lives in memory until it outgrows its cache, then in a temporary
            // file that is gone with the connection.
            connection.execute("ATTACH '' AS feed", [])?;
        }
    }
    lockdown::after_attaching(&connection)?;
    budget.connect(connection.get_interrupt_handle());
    watchdog::watch(budget)?;
    // Held for as long as the connection is open, and with it the file: see there.
    let turnstile = match purpose {
        Use::Pages(log, _) | Use::Log(log) => Some(Turnstile::of(&log.database)?),
        Use::Refresh(_) => None,
    };
    let spend = Arc::clone(budget);
    let look = move || {
        let _ = &turnstile;
        spend.spend()
    };
    connection.progress_handler(i32::try_from(STEPS_A_LOOK).unwrap_or(i32::MAX), Some(look))?;
    let judge = Arc::clone(gate);
    connection.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| judge.judge(context)))?;
    Ok(connection)
}

/// The path with its folder's symbolic links resolved: an operator may well keep the cache behind
/// one, but the database itself is never one.
fn without_links(path: &Path) -> Result<PathBuf, Error> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path.to_owned()) };
    let folder = folder.canonicalize().map_err(|source| Error::io(folder, source))?;
    Ok(folder.join(name))
}

fn attach(connection: &Connection, path: &Path, mode: &str, schema: &str) -> Result<(), Error> {
    let uri = format!("file:{}?mode={mode}", percent_encoded(path));
    connection.execute(&format!("ATTACH ?1 AS {schema}"), [uri]).map_err(|error| classify(error, path))?;
    Ok(())
}

/// A path inside a URI: every byte that a URI gives a meaning to is escaped.
fn percent_encoded(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut uri, &byte| {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
        uri
    })
}

/// What an SQLite error means for the log.
pub fn classify(error: rusqlite::Error, path: &Path) -> Error {
    let Some(code) = error.sqlite_error() else { return Error::Sqlite(error) };
    match (code.code, code.extended_code) {
        (_, rusqlite::ffi::SQLITE_READONLY_ROLLBACK) => Error::LogNeedsRecovery { path: path.to_owned() },
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Error::Busy,
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
    let mut began = None;
    loop {
        match attempt() {
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

/// Checks that the database has the contract's table, as a table, and its index.
pub fn check_schema(log: &Log) -> Result<(), Error> {
    let gate = Gate::of_host();
    let budget = Arc::new(Budget::default());
    let wait = crate::limits::HOST_WAIT;
    let connection = patiently(wait, || open(Use::Log(log), &gate, &budget))?;
    let bad = |what: String| Error::BadLog { path: log.database.clone(), what };
    patiently(wait, || {
        let run = || -> rusqlite::Result<(Vec<String>, bool)> {
            let mut columns = connection
                .prepare("SELECT name FROM pragma_table_info(?1, 'log') WHERE ?1 IN (SELECT name FROM log.sqlite_schema WHERE type = 'table')")?;
            let names = columns.query_map([EVENTS], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
            let index = connection.query_row(
                "SELECT count(*) FROM pragma_index_list(?1, 'log') WHERE name = 'idx_created_at' AND NOT partial \
                 AND (SELECT group_concat(name) FROM pragma_index_info('idx_created_at', 'log')) = 'created_at'",
                [EVENTS],
                |row| row.get::<_, i64>(0),
            )?;
            Ok((names, index == 1))
        };
        let (names, indexed) = run().map_err(|error| classify(error, &log.database))?;
        if names.is_empty() {
            return Err(bad(format!("it has no table {EVENTS}")));
        }
        let missing: Vec<&str> =
            COLUMNS.into_iter().filter(|column| !names.iter().any(|name| name == column)).collect();
        if !missing.is_empty() {
            return Err(bad(format!("table {EVENTS} has no column {}", missing.join(", "))));
        }
        if !indexed {
            return Err(bad("it has no index idx_created_at on (created_at)".to_owned()));
        }
        Ok(())
    })
}

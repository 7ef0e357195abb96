//! What keeps a log's files as they are while it is opened, and while it is read in WAL mode.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, ffi};

use crate::files::uri;

/// A shared lock on a database, without which nobody ends WAL mode, rolls a journal back or removes a side file.
/// Between a look at the files and their opening, SQLite would make what is missing by then.
#[derive(Debug)]
pub(super) struct Hold {
    /// In exclusive locking mode a connection does not give its first lock back. It is not used any more.
    _connection: Mutex<Connection>,
}

impl Hold {
    /// Takes the lock, and has SQLite look for a journal that was left. Not while another connection of this process is
    /// open in WAL mode: that is a hold already, and SQLite says `BUSY` here.
    pub(super) fn take(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE
            | OpenFlags::SQLITE_OPEN_EXRESCODE
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(uri(path, "mode=ro&readonly_shm=1"), flags)?;
        connection.busy_timeout(Duration::ZERO)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
            // In WAL mode it goes on to an exclusive lock, which it cannot have on what it may only read, before it
            // looks at a side file. The shared one stays.
            Err(error)
                if error.sqlite_error().map(|error| error.extended_code) == Some(ffi::SQLITE_IOERR_LOCK) => {}
            looked => looked?,
        }
        Ok(Self { _connection: Mutex::new(connection) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(path: &Path, script: &str) -> String {
        let python = format!("import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], timeout=0.1)\n{script}");
        let ran = std::process::Command::new("python3").args(["-c", &python]).arg(path).output().unwrap();
        String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap()
    }

    #[test]
    fn nothing_is_made_and_nothing_is_removed_while_a_log_in_wal_mode_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        let made = "db.execute('PRAGMA journal_mode=WAL'); db.execute('CREATE TABLE t (x)'); db.close()";
        assert_eq!(writer(&path, made), "");
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        let hold = Hold::take(&path).unwrap();
        assert_eq!(files(), 1, "it is at rest, and stays so");
        let commit = "db.execute('INSERT INTO t VALUES (1)'); db.commit(); db.close()";
        assert_eq!(writer(&path, commit), "", "a commit waits for nobody");
        assert_eq!(files(), 3, "its side files stay");
        let leave = "print(db.execute('PRAGMA journal_mode=DELETE').fetchone())";
        assert!(writer(&path, leave).contains("locked"));
        drop(hold);
        let hold = Hold::take(&path).unwrap();
        assert_eq!(files(), 3);
        drop(hold);
        assert_eq!(writer(&path, commit), "");
        assert_eq!(files(), 1, "nothing keeps the writer from tidying up");
    }

    #[test]
    fn a_writer_that_shuts_readers_out_is_met_here() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE t (x); BEGIN EXCLUSIVE").unwrap();
        let busy = Hold::take(&path).unwrap_err();
        assert_eq!(busy.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
        connection.execute_batch("ROLLBACK").unwrap();
        Hold::take(&path).unwrap();
    }
}

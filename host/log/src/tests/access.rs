//! In which way a log is read as it lies, and that each snapshot is whole and of today in each of them. What other
//! processes see of it is in `tests/journal_modes`.

use rusqlite::Connection;

use super::log_of;
use crate::Log;
use crate::access::Access;
use crate::error::Error;
use crate::feed::Feeder;
use crate::grants::{Grants, KEY_COLUMNS};
use crate::limits::Limits;
use crate::reader_gate::ReaderGate;
use crate::session::Session;

const INSERT: &str = "INSERT INTO audit_events (created_at, actor_id, action, resource_type, resource_id, \
    payload_offset, payload_len) SELECT created_at, actor_id, action, resource_type, resource_id, payload_offset, \
    payload_len FROM audit_events WHERE id = 1";

fn writer(log: &Log, mode: &str) -> Connection {
    let writer = Connection::open(&log.database).unwrap();
    writer.pragma_update(None, "journal_mode", mode).unwrap();
    writer
}

/// Longer than what makes a write too recent to be told from the next.
fn let_the_clock_tick() {
    std::thread::sleep(std::time::Duration::from_millis(40));
}

fn way(log: &Log) -> Result<Access, Error> {
    Access::of(&ReaderGate::of(&log.database).unwrap(), &log.database)
}

fn session(log: &Log) -> Session {
    let limits = Limits { busy_wait: std::time::Duration::from_secs(5), ..Limits::default() };
    Session::for_pages(log, None, &Grants { columns: KEY_COLUMNS.to_vec(), limits, ..Grants::local() })
        .unwrap()
}

#[test]
fn the_way_follows_the_writer() {
    let (folder, log) = log_of(50);
    assert!(matches!(way(&log), Ok(Access::Locked)));
    let connection = writer(&log, "wal");
    // Busy while its header was written so recently that a second write could not be told from that.
    assert!(matches!(way(&log), Err(Error::Busy) | Ok(Access::AtRest(_))));
    connection.execute(INSERT, []).unwrap();
    assert!(matches!(way(&log), Ok(Access::Shared)));
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    assert!(matches!(way(&log), Ok(Access::Shared)), "its writer has it open");
    drop(connection);
    let_the_clock_tick();
    assert!(matches!(way(&log), Ok(Access::AtRest(_))));
    // Left by one that was killed, or copied along.
    let wal = folder.path().join("audit.db-wal");
    std::fs::write(&wal, "").unwrap();
    assert!(matches!(way(&log), Ok(Access::AtRest(_))));
    std::fs::write(&wal, "frames").unwrap();
    let Err(Error::LogNeedsRecovery { what, .. }) = way(&log) else { panic!("it was read") };
    assert!(what.contains("audit.db-wal"));
    // Whatever the header says, SQLite takes in a `-wal` that it finds.
    std::fs::remove_file(&wal).unwrap();
    drop(writer(&log, "delete"));
    assert!(matches!(way(&log), Ok(Access::Locked)));
    std::fs::write(&wal, "frames").unwrap();
    assert!(matches!(way(&log), Err(Error::LogNeedsRecovery { .. })));
    std::fs::remove_file(&wal).unwrap();
    std::os::unix::fs::symlink(folder.path().join("payloads.jsonl"), &wal).unwrap();
    assert_eq!(way(&log).unwrap_err().code(), "bad-log");
}

#[test]
fn a_session_and_a_feeder_see_each_commit_whichever_way_they_came() {
    let (_folder, log) = log_of(50);
    let (mut session, feeder) = (session(&log), Feeder::open(&log).unwrap());
    let mut events = 50;
    let mut look = |events: i64| {
        session.begin().unwrap();
        assert_eq!(session.high_water(), events);
        session.end();
        assert!(session.is_proved());
        assert!(session.explain("SELECT id FROM audit_events WHERE id = 5")[0].contains("SEARCH"));
        session.finish();
        assert_eq!(feeder.last().unwrap(), Some(events));
    };
    for mode in ["wal", "delete", "wal", "persist", "wal", "truncate"] {
        let connection = writer(&log, mode);
        connection.execute(INSERT, []).unwrap();
        events += 1;
        drop(connection);
        look(events);
        look(events);
        let connection = Connection::open(&log.database).unwrap();
        connection.execute(INSERT, []).unwrap();
        events += 1;
        drop(connection);
        look(events);
    }
}

#[test]
fn what_was_read_at_rest_does_not_count_once_its_writer_came() {
    let (_folder, log) = log_of(50);
    drop(writer(&log, "wal"));
    let mut session = session(&log);
    session.begin().unwrap();
    session.end();
    assert!(session.is_proved());
    session.finish();

    session.begin().unwrap();
    let connection = writer(&log, "wal");
    connection.execute(INSERT, []).unwrap();
    session.end();
    assert!(session.is_proved(), "a commit in the -wal leaves the database as it was");
    session.finish();
    drop(connection);

    let_the_clock_tick();
    session.begin().unwrap();
    assert_eq!(session.high_water(), 51);
    let connection = writer(&log, "wal");
    connection.execute(INSERT, []).unwrap();
    drop(connection);
    session.end();
    assert!(!session.is_proved(), "its writer has closed it, and written the -wal into the database");
    session.finish();
    session.begin().unwrap();
    assert_eq!(session.high_water(), 52);
}

/// A reading that has filled another database in part, and does not count.
#[test]
fn a_copy_that_is_begun_again_holds_each_event_once() {
    let (_folder, log) = log_of(50);
    drop(writer(&log, "wal"));
    let feeder = Feeder::open(&log).unwrap();
    let mut into = Connection::open_in_memory().unwrap();
    into.execute_batch("ATTACH '' AS feed; CREATE TABLE feed.events (id INTEGER PRIMARY KEY, n INTEGER)")
        .unwrap();
    // Its writer comes while the first row is copied.
    let path = log.database.clone();
    let came = std::sync::atomic::AtomicBool::new(false);
    into.update_hook(Some(move |_, _: &str, _: &str, _| {
        if !came.swap(true, std::sync::atomic::Ordering::SeqCst) {
            let connection = Connection::open(&path).unwrap();
            connection.execute(INSERT, []).unwrap();
        }
    }))
    .unwrap();
    crate::quarantine::collect(&into).unwrap();
    let (key, mut copied) = (crate::digests::DigestKey::random(), Vec::new());
    feeder.copy_range(&into, &["id"], &key, None, i64::MAX, &mut copied).unwrap();
    assert!(copied.iter().map(|row| row.id).eq(1..=51));
    assert_eq!(into.query_row("SELECT count(*) FROM feed.events", [], |row| row.get::<_, i64>(0)), Ok(51));
}

#[test]
fn a_log_in_another_encoding_is_refused_by_its_name() {
    for (encoding, name) in [("UTF-16le", "UTF-16LE"), ("UTF-16be", "UTF-16BE")] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("payloads.jsonl"), "").unwrap();
        let writer = Connection::open(folder.path().join("audit.db")).unwrap();
        writer
            .execute_batch(&format!("PRAGMA encoding = '{encoding}'; CREATE TABLE audit_events (id)"))
            .unwrap();
        drop(writer);
        let Err(error) = Log::open(folder.path()) else { panic!("it was opened") };
        assert!(error.to_string().contains(name) && error.to_string().contains(".dump"), "{error}");
    }
}

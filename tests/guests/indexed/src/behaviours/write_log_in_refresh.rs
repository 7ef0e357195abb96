//! Writes to the log while it refreshes, by every name that the log might have there.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::types::Error;
use crate::bindings::keyhole::strategy::scratch;
use crate::tries::execute_each;

pub(crate) use crate::index::page;

pub(crate) fn refresh(_through: i64) -> Result<Progress, Error> {
    // Where there is no such table, or no place for the statement, SQLite says so before it asks the host.
    for sql in [
        "DELETE FROM audit_events",
        "DELETE FROM log.audit_events",
        "INSERT INTO log.audit_events (id) VALUES (1)",
        "UPDATE log.audit_events SET actor_id = 1",
        "DROP TABLE log.audit_events",
        "VACUUM INTO 'audit.db'",
    ] {
        if scratch::execute(sql, &[]).is_ok() {
            return Err(Error::Other(format!("let through: {sql}")));
        }
    }
    Err(execute_each(&[
        "ATTACH 'audit.db' AS log",
        "ATTACH 'file:audit.db?mode=rw' AS log",
        "PRAGMA query_only = OFF",
        "DETACH feed",
    ]))
}

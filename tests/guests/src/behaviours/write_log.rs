//! Changes to the log, in every spelling.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused;

const TEXTS: [&str; 25] = [
    "INSERT INTO audit_events DEFAULT VALUES",
    "INSERT INTO log.audit_events (id, created_at) VALUES (1, 2)",
    "REPLACE INTO audit_events (id) VALUES (1)",
    "INSERT INTO audit_events (id) SELECT id FROM audit_events ON CONFLICT DO NOTHING",
    "UPDATE audit_events SET actor_id = 0",
    "UPDATE audit_events SET actor_id = 0 WHERE id = 1 RETURNING id",
    "DELETE FROM audit_events",
    "DELETE FROM audit_events WHERE id = 1 RETURNING id",
    "WITH old AS (SELECT 1 AS id) DELETE FROM audit_events WHERE id IN old",
    "CREATE TABLE log.mine (id INTEGER)",
    "CREATE INDEX log.mine ON audit_events (actor_id)",
    "CREATE VIEW log.mine AS SELECT 1",
    "CREATE TRIGGER log.mine AFTER INSERT ON audit_events BEGIN SELECT 1; END",
    "ALTER TABLE audit_events RENAME TO mine",
    "ALTER TABLE audit_events ADD COLUMN mine",
    "ALTER TABLE audit_events DROP COLUMN action",
    "DROP TABLE audit_events",
    "DROP INDEX idx_created_at",
    "REINDEX",
    "REINDEX log.audit_events",
    "ANALYZE",
    "ANALYZE log.audit_events",
    "VACUUM",
    "VACUUM log",
    "VACUUM log INTO 'copy.db'",
];

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused(&TEXTS)
}

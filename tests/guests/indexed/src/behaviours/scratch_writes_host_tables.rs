//! Touches what the host keeps in scratch, in the feed, and in SQLite's own tables.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::types::Error;
use crate::tries::execute_each;

pub(crate) use crate::index::page;

pub(crate) fn refresh(_through: i64) -> Result<Progress, Error> {
    Err(execute_each(&[
        "DROP TABLE scratch.keyhole_block",
        "CREATE TABLE scratch.Keyhole_more (a)",
        "CREATE INDEX scratch.i ON keyhole_block (last)",
        "INSERT INTO feed.events (id) VALUES (1)",
        "UPDATE feed.events SET created_at = 0",
        "DELETE FROM feed.events",
        "DROP TABLE feed.events",
        "UPDATE scratch.keyhole_coverage SET last = last + 1000",
        "DELETE FROM scratch.keyhole_coverage",
    ]))
}

//! Leaves code behind in its tables that would run later, at every write: triggers.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::types::Error;
use crate::bindings::keyhole::strategy::scratch;
use crate::tries::execute_each;

pub(crate) use crate::index::page;

pub(crate) fn refresh(_through: i64) -> Result<Progress, Error> {
    scratch::execute("CREATE TABLE IF NOT EXISTS scratch.t (a INTEGER)", &[])?;
    Err(execute_each(&[
        "CREATE TEMP TRIGGER later AFTER INSERT ON scratch.t BEGIN DELETE FROM t; END",
        "CREATE TEMP TRIGGER of_feed AFTER INSERT ON feed.events BEGIN SELECT 1; END",
        "CREATE TRIGGER scratch.of_host AFTER UPDATE ON keyhole_coverage BEGIN DELETE FROM keyhole_block; END",
        "CREATE TRIGGER scratch.later AFTER INSERT ON t BEGIN INSERT INTO t VALUES (1); END",
    ]))
}

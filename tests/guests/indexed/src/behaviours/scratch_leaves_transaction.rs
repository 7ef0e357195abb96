//! Rolls back the transaction of its slice by a conflict that it brings about, and then writes outside
//! of any, so that what it writes stays whatever becomes of the slice.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::scratch;
use crate::bindings::keyhole::strategy::types::Error;

pub(crate) use crate::index::page;

pub(crate) fn refresh(through: i64) -> Result<Progress, Error> {
    scratch::execute("CREATE TABLE IF NOT EXISTS scratch.t (a INTEGER PRIMARY KEY)", &[])?;
    scratch::execute("INSERT INTO scratch.t VALUES (1)", &[])?;
    let _ = scratch::execute("INSERT OR ROLLBACK INTO scratch.t VALUES (1)", &[]);
    let outside = scratch::execute("CREATE TABLE scratch.kept (a INTEGER)", &[]);
    outside.map(|_| Progress { covered: through, done: true })
}

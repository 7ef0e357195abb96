//! Reads the log itself while it refreshes, which would lock it for as long as the refresh takes.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::log;
use crate::bindings::keyhole::strategy::types::Error;
use crate::tries::query_each;

pub(crate) use crate::index::page;

pub(crate) fn refresh(_through: i64) -> Result<Progress, Error> {
    if log::fetch(&[1]).is_ok() || log::select("SELECT 1", &[]).is_ok() {
        return Err(Error::Other("let through: a handle in a refresh".to_owned()));
    }
    for sql in ["SELECT id FROM audit_events", "SELECT id FROM log.audit_events"] {
        if log::query(sql, &[]).is_ok() {
            return Err(Error::Other(format!("let through: {sql}")));
        }
    }
    Err(query_each(&["SELECT last FROM scratch.keyhole_block"]))
}

//! Right when it is proven. At the next refresh it hides an event: the one before the newest.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::types::Error;
use crate::bindings::keyhole::strategy::{log, scratch};

pub(crate) use crate::index::page;

pub(crate) fn refresh(through: i64) -> Result<Progress, Error> {
    let before = log::query("SELECT name FROM scratch.sqlite_master", &[])?;
    let progress = crate::index::refresh(through)?;
    if before.cells.iter().any(|cell| format!("{cell:?}").contains("keys_by_time")) {
        scratch::execute(
            "DELETE FROM scratch.keys WHERE id = (SELECT id FROM scratch.keys \
             ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET 1)",
            &[],
        )?;
    }
    Ok(progress)
}

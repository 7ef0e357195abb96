//! Right when it is proven. At the next refresh it hides an event: the one before the newest.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::scratch;
use crate::bindings::keyhole::strategy::types::Error;

pub(crate) use crate::index::page;

const HIDE: &str = "DELETE FROM scratch.keys WHERE id = (SELECT id FROM scratch.keys \
     ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET 1) AND (SELECT count(*) FROM scratch.refreshes) > 1";

pub(crate) fn refresh(through: i64) -> Result<Progress, Error> {
    scratch::execute("CREATE TABLE IF NOT EXISTS scratch.refreshes (n INTEGER PRIMARY KEY)", &[])?;
    scratch::execute("INSERT INTO scratch.refreshes DEFAULT VALUES", &[])?;
    let progress = crate::index::refresh(through)?;
    scratch::execute(HIDE, &[])?;
    Ok(progress)
}

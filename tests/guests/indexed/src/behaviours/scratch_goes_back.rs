//! Says after each slice that it covers less than before.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::types::Error;
use crate::bindings::keyhole::strategy::{log, scratch};

pub(crate) use crate::index::page;

pub(crate) fn refresh(through: i64) -> Result<Progress, Error> {
    scratch::execute("CREATE TABLE IF NOT EXISTS scratch.slices (n INTEGER PRIMARY KEY)", &[])?;
    let slices = log::query("SELECT n FROM scratch.slices", &[])?.cells.len();
    scratch::execute("INSERT INTO scratch.slices DEFAULT VALUES", &[])?;
    Ok(Progress { covered: through - slices as i64, done: false })
}

//! A statement with a million parameters.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest, Value};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    run("SELECT 1", &vec![Value::Null; 1_000_000])?;
    Ok(Vec::new())
}

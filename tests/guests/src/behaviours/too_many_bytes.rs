//! A result that is too large to be carried, made of rows that are not.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest, Value};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    let long = Value::Text("r".repeat(30_000));
    run("SELECT ?1 FROM audit_events", &[long])?;
    Err(Error::Other("megabytes were carried by one call".to_owned()))
}

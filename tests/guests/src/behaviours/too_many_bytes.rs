//! A result that is too large to be carried, made of rows that are not.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    let long = ["r"; 20].join("||");
    let wide = [long.as_str(); 40].join(", ");
    run(&format!("SELECT {wide} FROM (SELECT resource_id AS r FROM audit_events)"), &[])?;
    Err(Error::Other("megabytes were carried by one call".to_owned()))
}

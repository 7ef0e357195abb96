//! Comparisons that take long for one step: a pattern longer than the host allows, and then as many
//! short ones over long texts as the budget lets through.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest, Value};
use crate::statements::{refused, run};

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    let pattern = "%a".repeat(5000);
    let like = format!("SELECT 'aaaa' LIKE '{pattern}'");
    let glob = format!("SELECT 'aaaa' GLOB '{}'", pattern.replace('%', "*"));
    match refused(&[&like, &glob]) {
        Err(Error::Other(what)) => return Err(Error::Other(what)),
        other => drop(other),
    }
    let text = Value::Text("a".repeat(200_000));
    let pattern = Value::Text(format!("{}b", "%a".repeat(20)));
    loop {
        run(
            "SELECT count(*) FROM audit_events WHERE ?1 || id LIKE ?2 OR ?1 || id GLOB ?2",
            &[text.clone(), pattern.clone()],
        )?;
    }
}

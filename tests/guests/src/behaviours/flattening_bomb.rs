//! A short text that the compiler makes long: each subquery uses what the one within it gives twice, and
//! SQLite puts the inner one's expressions in their place: 2^24 of them.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::run;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    let mut doubled = "SELECT id AS n FROM audit_events".to_owned();
    for _ in 0..24 {
        doubled = format!("SELECT n + n AS n FROM ({doubled})");
    }
    run(&doubled, &[])?;
    Err(Error::Other("sixteen million terms were let through".to_owned()))
}

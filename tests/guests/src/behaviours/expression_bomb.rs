//! Texts that a parser or a compiler works on for long: depth, columns, compounds, terms, joins.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused;

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    let deep = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    let nots = format!("SELECT {}1", "NOT ".repeat(2000));
    let sums = format!("SELECT 1{}", "+1".repeat(5000));
    let selects = format!("SELECT * FROM {}(SELECT 1){}", "(SELECT * FROM ".repeat(500), ")".repeat(500));
    let columns = format!("SELECT 1{}", ",1".repeat(3000));
    let compounds = format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(800));
    let joins = format!("SELECT 1 FROM audit_events a0{}", (1..200).fold(String::new(), |joins, n| {
        format!("{joins}, audit_events a{n}")
    }));
    refused(&[&deep, &nots, &sums, &selects, &columns, &compounds, &joins])
}

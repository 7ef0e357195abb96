//! Tables, views, indexes and triggers that live as long as the connection.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 9] = [
    "CREATE TEMP TABLE mine (id INTEGER)",
    "CREATE TEMPORARY TABLE mine AS SELECT id FROM audit_events",
    "CREATE TABLE temp.mine (id INTEGER)",
    "CREATE TABLE main.mine (id INTEGER)",
    "CREATE TABLE IF NOT EXISTS mine (id INTEGER)",
    "CREATE TEMP VIEW mine AS SELECT id FROM audit_events",
    "CREATE TEMP TRIGGER mine AFTER INSERT ON audit_events BEGIN SELECT 1; END",
    "INSERT INTO temp.mine VALUES (1)",
    "DROP TABLE IF EXISTS temp.sqlite_temp_schema",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

//! The catalogue, and tables of the host.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 10] = [
    "SELECT sql FROM sqlite_master",
    "SELECT name FROM log.sqlite_schema",
    "SELECT name FROM main.sqlite_master",
    "SELECT name FROM sqlite_temp_master",
    "SELECT seq FROM log.sqlite_sequence",
    "SELECT * FROM sqlite_stat1",
    "SELECT * FROM scratch.keyhole_coverage",
    "SELECT * FROM scratch.sqlite_schema",
    "SELECT * FROM feed.events",
    "SELECT id FROM audit_events WHERE EXISTS (SELECT 1 FROM sqlite_schema) LIMIT 1",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

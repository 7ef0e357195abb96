//! Bytes that are no text, as text.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused;

const TEXTS: [&str; 5] = [
    "SELECT CAST(x'ff' AS TEXT)",
    "SELECT CAST(x'c0af' AS TEXT)",
    "SELECT CAST(x'eda080' AS TEXT)",
    "SELECT 'good' || CAST(x'80' AS TEXT)",
    "SELECT CAST(x'f5808080' AS TEXT) AS id FROM audit_events LIMIT 1",
];

pub(crate) fn page(_request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused(&TEXTS)
}

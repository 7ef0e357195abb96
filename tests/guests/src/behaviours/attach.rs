//! Another database file, under every spelling of a name.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 10] = [
    "ATTACH 'other.db' AS other",
    "ATTACH DATABASE ':memory:' AS other",
    "ATTACH '' AS other",
    "ATTACH 'file:other.db?mode=rwc' AS other",
    "ATTACH 'file::memory:?cache=shared' AS other",
    "ATTACH '/proc/self/mem' AS other",
    "ATTACH 'audit.db' AS log",
    "/* a report */ attach database 'other.db' as \"other\"",
    "DETACH log",
    "DETACH DATABASE main",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

//! Pragmas as statements: settings, and what tells of the file.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 14] = [
    "PRAGMA query_only = 0",
    "PRAGMA query_only",
    "PRAGMA writable_schema = 1",
    "PRAGMA log.journal_mode = DELETE",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA database_list",
    "PRAGMA table_info(audit_events)",
    "PRAGMA log.page_count",
    "PRAGMA mmap_size = 1000000000",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA wal_checkpoint",
    "PRAGMA optimize",
    "PRAGMA user_version = 7",
    "EXPLAIN PRAGMA database_list",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

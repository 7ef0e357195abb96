//! Pragmas as table-valued functions inside a SELECT.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};
use crate::statements::refused_then_honest;

const TEXTS: [&str; 10] = [
    "SELECT * FROM pragma_database_list",
    "SELECT file FROM pragma_database_list()",
    "SELECT name FROM pragma_table_info('audit_events')",
    "SELECT name FROM PRAGMA_TABLE_INFO('audit_events', 'log')",
    "SELECT * FROM pragma_table_list",
    "SELECT count(*) FROM pragma_function_list",
    "SELECT 1 FROM audit_events JOIN pragma_compile_options LIMIT 1",
    "SELECT id FROM audit_events WHERE EXISTS (SELECT 1 FROM pragma_user_version) LIMIT 1",
    "SELECT name FROM main.pragma_module_list",
    "SELECT * FROM (SELECT * FROM \"pragma_index_list\"('audit_events'))",
];

pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    refused_then_honest(request, &TEXTS)
}

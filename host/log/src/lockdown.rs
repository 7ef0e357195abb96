//! What a connection is forbidden for good, each with its reason: SQLite's settings and size limits.
//!
//! None of this depends on what is granted, and none of it is the only thing that stops an attack.

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;

use crate::authorizer::Author;
use crate::limits::{HOST_VALUE_BYTES, PATTERN_BYTES, SQL_BYTES};

/// Room in a text for what the host puts before a strategy's to have it explained.
const PREFIX_BYTES: usize = 64;

const SETTINGS: &[(DbConfig, bool)] = &[
    // Shadow tables, the catalogue and the file's own header are out of reach of SQL.
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
    // A schema is whatever a file says: functions and modules with side effects are not run from one.
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    // Nor is anything else that would run without being asked for.
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
    // It takes a pointer as a blob.
    (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
    // A plan is a text's alone, never that of the values bound to it: what an audit saw holds for every
    // request. Without it SQLite prepares a text anew whenever a value that a plan might have used is bound
    // again, which was half of the work of a request that finds nothing.
    (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
    // A misspelt column is an error, not a text.
    (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
];

const LIMITS: &[(Limit, usize)] = &[
    (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES + PREFIX_BYTES),
    (Limit::SQLITE_LIMIT_LENGTH, HOST_VALUE_BYTES),
    // The log has 8 columns; a wide index of a strategy's, or a report, some dozens.
    (Limit::SQLITE_LIMIT_COLUMN, 64),
    // The parser and all that follows it recurse once for each level of an expression or a subquery:
    // with the next one, this is what keeps a host thread's stack.
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 32),
    (Limit::SQLITE_LIMIT_PARSER_DEPTH, 200),
    // Each term is compiled by a call within the call for the one before.
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 8),
    // An honest program has some hundred instructions. It bounds the memory of one that is prepared,
    // and the time between two looks at the interrupt flag, which only a jump backwards takes.
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 8),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    // Triggers do not run at all.
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0),
    // A statement stays on the thread that has it in its budget.
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    // Each connection holds the schema in memory: a strategy that makes tables without end is stopped.
    (Limit::SQLITE_LIMIT_SCHEMA, 1000),
];

/// Before anything is attached.
pub(super) fn before_attaching(connection: &Connection) -> rusqlite::Result<()> {
    for &(setting, value) in SETTINGS {
        connection.set_db_config(setting, value)?;
    }
    for &(limit, value) in LIMITS {
        set_limit(connection, limit, value)?;
    }
    Ok(())
}

/// Before a log is attached: in WAL mode, whoever closes it last would write the `-wal` into the database.
pub(super) fn never_checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop)
}

/// Once what belongs to it is attached: nothing more ever is.
pub(super) fn after_attaching(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false)?;
    // mmap_size: on a log that grows, reading through a mapping costs more than it saves, since each
    // append unmaps it; and a file that is cut short under it would end the process.
    // cell_size_check: a damaged page is found before it is followed.
    connection.execute_batch("PRAGMA mmap_size=0; PRAGMA cell_size_check=ON")
}

/// How large a value may become in this author's statements; `allowed` is the strategy's own limit.
pub(super) fn bound_values(connection: &Connection, author: Author, allowed: u64) -> rusqlite::Result<()> {
    let bytes = if author == Author::Host { HOST_VALUE_BYTES as u64 } else { allowed };
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(bytes).unwrap_or(i32::MAX)).map(drop)
}

fn set_limit(connection: &Connection, limit: Limit, value: usize) -> rusqlite::Result<()> {
    connection.set_limit(limit, i32::try_from(value).unwrap_or(i32::MAX)).map(drop)
}

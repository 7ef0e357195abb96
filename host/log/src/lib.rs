//! An audit log as its host reads it: where it lies, one snapshot of it, its rows and payloads, and the checks on
//! the SQL of a strategy.
//!
//! Only this crate knows that a log is an SQLite database and a file beside it. It links no WebAssembly engine.
//!
//! The modules stand in the order of their dependencies: each uses only those below it.

pub mod session;
mod reference;
pub mod usage;
pub mod units;
pub mod dataset;
pub mod survey;
pub mod lines;
pub mod payload;
mod json;
pub mod snapshot;
mod statement;
pub mod value;
mod vetting;
mod weight;
mod sql_text;
pub mod feed;
pub mod quarantine;
pub mod cell;
pub mod digests;
pub mod folder;
mod schema;
pub mod log_reader;
pub mod connection;
pub mod version;
pub mod access;
mod reader_gate;
mod file_state;
mod hold;
pub mod files;
pub mod lockdown;
pub mod sqlite_memory;
pub mod watchdog;
pub mod budget;
pub mod fingerprints;
pub mod model;
pub mod ledger;
pub mod authorizer;
pub mod touched;
pub mod grants;
pub mod temporary;
pub mod environment;
pub mod interrupt;
mod overdue;
pub mod thread_clock;
pub mod error;
pub mod limits;
pub mod key;
pub mod hash;
pub mod visible;
#[cfg(test)]
mod tests;

// What no page request makes use of.

pub use files::Identity;
pub use folder::Log;

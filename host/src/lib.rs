//! Keyhole: a host for untrusted query strategies over an audit log.
//!
//! The modules in the order in which a page request passes them; dependencies point downwards.

pub mod cli;
pub mod commands;
pub mod registry;
pub mod strategy;
pub mod engine;
pub mod linker;
pub mod policy;
pub mod limits;
pub mod state;
pub mod bindings;
pub mod imports;
pub mod ledger;
pub mod page;
pub mod log;
pub mod scratch;
pub mod contract;
pub mod verify;
pub mod bench;
pub mod native;
pub mod error;
pub mod interrupt;

/// Lower-case hexadecimal, as digests are shown.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

//! Keyhole: a host for untrusted query strategies over an audit log.
//!
//! The modules in the order in which a page request passes them; dependencies point downwards.

pub mod audit;
pub mod bench;
pub mod bindings;
pub mod cli;
pub mod commands;
pub mod contract;
pub mod decisions;
pub mod diff;
pub mod engine;
pub mod error;
pub mod guards;
pub mod imports;
pub mod interrupt;
pub mod ledger;
pub mod limits;
pub mod linker;
pub mod loader;
pub mod log;
pub mod native;
pub mod page;
pub mod policy;
pub mod registry;
pub mod report;
pub mod scratch;
pub mod secret;
pub mod selftest;
pub mod serve;
pub mod service;
pub mod state;
pub mod strategy;
pub mod usage;
pub mod verify;

/// SHA-256 of some bytes, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal, as digests are shown.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

//! Keyhole: a host for untrusted query strategies over an audit log.
//!
//! The modules in the order in which a page request passes them; dependencies point downwards.

#[path = "../lab/src/audit/mod.rs"]
pub mod audit;
#[path = "../lab/src/bench/mod.rs"]
pub mod bench;
#[path = "../runtime/src/bindings.rs"]
pub mod bindings;
#[path = "../cli/src/cli/mod.rs"]
pub mod cli;
#[path = "../cli/src/verbs/mod.rs"]
pub mod commands;
#[path = "../proof/src/contract/mod.rs"]
pub mod contract;
#[path = "../service/src/decisions/mod.rs"]
pub mod decisions;
#[path = "../lab/src/diff/mod.rs"]
pub mod diff;
#[path = "../runtime/src/engine.rs"]
pub mod engine;
#[path = "../log/src/error/mod.rs"]
pub mod error;
#[path = "../runtime/src/imports/mod.rs"]
pub mod imports;
#[path = "../log/src/interrupt.rs"]
pub mod interrupt;
#[path = "../log/src/ledger.rs"]
pub mod ledger;
#[path = "../log/src/limits/mod.rs"]
pub mod limits;
#[path = "../runtime/src/linker.rs"]
pub mod linker;
#[path = "../runtime/src/loader/mod.rs"]
pub mod loader;
#[path = "../log/src/lib.rs"]
pub mod log;
#[path = "../runtime/src/native/mod.rs"]
pub mod native;
#[path = "../runtime/src/page/mod.rs"]
pub mod page;
#[path = "../runtime/src/policy/mod.rs"]
pub mod policy;
#[path = "../runtime/src/registry.rs"]
pub mod registry;
#[path = "../cli/src/report/mod.rs"]
pub mod report;
#[path = "../runtime/src/scratch/mod.rs"]
pub mod scratch;
#[path = "../runtime/src/secret.rs"]
pub mod secret;
#[path = "../lab/src/selftest/mod.rs"]
pub mod selftest;
#[path = "../service/src/http/mod.rs"]
pub mod serve;
#[path = "../service/src/lib.rs"]
pub mod service;
#[path = "../runtime/src/state.rs"]
pub mod state;
#[path = "../runtime/src/strategy/mod.rs"]
pub mod strategy;
#[path = "../log/src/units.rs"]
pub mod units;
#[path = "../log/src/usage.rs"]
pub mod usage;
#[path = "../proof/src/verify/mod.rs"]
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

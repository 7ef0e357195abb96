//! The log as the host sees it: where it lies, one snapshot of it, its rows and its payloads.
//!
//! Only this module knows that a log is an SQLite database and a file beside it.

pub mod budget;
#[path = "../../proof/src/census.rs"]
pub mod census;
pub mod connection;
#[path = "../../proof/src/digest.rs"]
pub mod digest;
pub mod feed;
pub mod files;
mod first_sight;
#[path = "../../proof/src/floor.rs"]
pub mod floor;
pub mod gate;
mod growth;
pub mod heap;
mod joins;
pub mod lockdown;
pub mod marks;
#[path = "../../proof/src/ordered.rs"]
pub mod ordered;
pub mod payload;
#[path = "../../proof/src/profile.rs"]
pub mod profile;
pub mod rows;
pub mod session;
pub mod statement;
#[cfg(test)]
mod tests;
mod tokens;
pub mod touched;
mod turnstile;
pub mod watchdog;

pub use files::{Identity, Log};

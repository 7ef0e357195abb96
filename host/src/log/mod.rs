//! The log as the host sees it: where it lies, one snapshot of it, its rows and its payloads.
//!
//! Only this module knows that a log is an SQLite database and a file beside it.

#[cfg(all(test, feature = "ablation"))]
mod ablation;
pub mod budget;
pub mod census;
pub mod connection;
pub mod digest;
pub mod feed;
pub mod files;
mod first_sight;
pub mod floor;
pub mod gate;
mod growth;
pub mod heap;
mod joins;
pub mod lockdown;
pub mod marks;
pub mod ordered;
pub mod payload;
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

//! Keyset pagination over tables of its own: the strategy `keyset`.
//!
//! Every event belongs to four *series*: all events, those of its action, those of its actor, and
//! those of its actor and action. A filter names exactly one series. For each series scratch holds
//! the keys in order, and, where they are many, counted buckets above them: a B+tree as rows, in
//! which a rank becomes a place in a few look-ups. What scratch does not cover yet, the *tail*, is
//! read from the log by id and merged in, so that an answer is exact for its snapshot.
//!
//! This is plain Rust over the two traits of [`host`]. Compiled for WebAssembly it is the guest; the
//! host also implements the traits over its own log and runs the very same code natively.
//!
//! The modules, in the order in which a page request passes them, then those of a refresh:

#[cfg(target_arch = "wasm32")]
mod component;

pub mod host;
pub mod request;

mod page;

mod range;
mod series;
mod tail;

mod place;
mod rank;

mod keys;

mod refresh;

mod tables;

mod fill;

mod arrivals;
mod buckets;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;

pub use host::{Param, Reader, Rows, Writer};
pub use page::page;
pub use refresh::{Progress, refresh};
pub use request::{Filter, Key, PageRequest, Position};

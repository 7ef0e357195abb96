//! The live system's paging as a strategy: LIMIT and OFFSET, then a read and a JSON decode of each
//! event's payload. It never changes: a digest of each of its files is kept and checked.
//!
//! What it asks and how it decodes is plain Rust, so that a native twin can do exactly the same.

pub mod payload;
pub mod plan;

#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod component;

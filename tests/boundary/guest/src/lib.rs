//! Takes rows from the host in every shape, and adds up their ids or hands them back.
//!
//! [`packed`] is plain Rust: the guest and the native side of the benchmark both read packed rows by it.

pub mod packed;

#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod component;

//! A query strategy as a sandboxed WebAssembly component, from its bytes to one checked page.
//!
//! The modules stand in the order of their dependencies: each uses only those below it.

pub mod page;
pub mod scratch;
pub mod native;
pub mod registry;
pub mod strategy;
pub mod imports;
pub mod policy;
pub mod engine;
pub mod loader;
pub mod embedded;
pub mod linker;
pub mod state;
pub mod inert;
pub mod memory;
pub mod bindings;
pub mod secret;
pub mod compilation;

//! Strategies that are wrong on purpose, in one component that is told by name which of them it is.
//!
//! Each file in `behaviours` is one of them and starts from the honest answer. The package's build
//! script writes the component once for each file, with the name patched into it. To add one: a
//! file, and its line in `behaviours.rs`.
#![cfg(target_arch = "wasm32")]

mod behaviours;
mod bindings;
mod component;
mod events;
mod name;
mod statements;

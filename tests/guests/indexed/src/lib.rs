//! Hostile strategies that keep tables of their own, in one component that is told by name which of
//! them it is.
//!
//! Each file in `behaviours` is one of them and starts from the honest index. The host's build script
//! lists the files. To add one: a file, and its line in `behaviours.rs`.
#![cfg(target_arch = "wasm32")]

mod behaviours;
mod bindings;
mod component;
mod index;
#[path = "../../src/name.rs"]
mod name;
mod tries;

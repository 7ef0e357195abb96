//! Keyhole's verbs, and what they measure and serve.
//!
//! The modules stand in the order of their dependencies: each uses only those below it.

pub mod cli;
mod help;
pub mod verbs;
pub mod report;
pub mod results;
pub mod args;

//! The proof that two strategies answer alike: the requests, the comparison, walks through whole logs, the verdict.
//!
//! The modules stand in the order of their dependencies: each uses only those below it.

pub mod verify;
pub mod streams;

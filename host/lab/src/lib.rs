//! What is measured and judged of strategies, apart from serving them: audits, comparisons of audits, benchmarks, and
//! the hostile strategies that this machine must stop.
//!
//! The modules stand in the order of their dependencies: each uses only those below it.

pub mod diff;
pub mod audit;
pub mod bench;
pub mod selftest;

//! Readings of a whole log, for proofs, audits and benchmarks: none lies on the way of a page.

pub mod census;
pub mod digest;
pub mod floor;
pub mod ordered;
pub mod profile;
pub mod spans;

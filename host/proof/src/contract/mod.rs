//! The paging contract: its data set, written anew by anyone, and the streams of page requests.

pub mod copy;
pub mod dataset;
pub mod edges;
pub mod fingerprint;
mod place;
pub mod random;
pub mod seed;
pub mod streams;
pub mod sweeps;

pub use random::Random;
pub use seed::{Seeded, Step, seed};
pub use streams::Stream;

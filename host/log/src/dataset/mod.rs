//! The contract's data set, written anew by anyone as a log, and copies of a log that may be written to.

pub mod copy;
pub mod fingerprint;
pub mod generator;
mod place;
pub mod random;
pub mod seed;

pub use random::Random;
pub use seed::{Seeded, Step, seed};

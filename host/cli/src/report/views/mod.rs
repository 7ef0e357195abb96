//! What the program finds out, as documents: a view for each kind of result.

pub mod audit;
pub mod bench;
pub mod diff;
pub mod page;

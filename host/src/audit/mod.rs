//! The operator's audit: the truth about one strategy, as data.

pub mod facts;

//! The operator's audit: the truth about one strategy, as data.
//!
//! A run collects facts and nothing else; one place turns facts into findings and the verdict; the screen
//! only shows them. So a saved audit can be judged, shown and compared again without running anything.

pub mod compare;
pub mod cost;
pub mod determinism;
pub mod facts;
pub mod findings;
pub mod judge;
pub mod least;
pub mod run;
pub mod screen;
mod totals;
pub mod trial;
mod unseen;
mod verdict;

//! Strategies that are wrong or hostile on purpose, and what an operator sees of them.

pub mod cases;
pub mod child;
pub mod coverage;
pub mod own;
pub mod report;
pub mod run;
pub mod stage;
pub mod zoo;

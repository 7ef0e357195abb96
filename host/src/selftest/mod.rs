//! Strategies that are wrong or hostile on purpose, and what an operator sees of them.

pub mod cases;
pub mod zoo;

//! The strategy against a naive model, on SQLite in memory, with buckets so narrow that a few dozen
//! events make several levels.

mod agreement;
mod invariants;
mod model;
mod plans;
mod sqlite;
mod walks;

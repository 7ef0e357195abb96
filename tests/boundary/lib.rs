//! What it costs to cross between host and strategy: a call, and rows in several shapes.
//!
//! **Method.** A variant is a shape at a size, in a place (native, a warm instance, a fresh one) on an engine (epochs
//! and fuel on or off). Each round plays a slice of every variant, in an order that turns round from one round to the
//! next, so what the machine does meanwhile falls on all of them alike; every few rounds all engines, instances and rows
//! are made anew. A slice's time through its calls is one
//! sample; shown is the median of the samples and an interval of 95 % confidence for it. Ratios and differences are
//! of samples of the same round.
//!
//! **Correctness.** Every call's sum is compared with what it must be: a benchmark of wrong answers does not finish.
//!
//! The modules in the order in which a run passes them:

pub mod plan;

pub mod rows;

mod side;

pub mod ground;

pub mod run;

pub mod figure;

pub mod report;

pub mod document;

#[cfg(test)]
mod tests;

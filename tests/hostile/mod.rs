//! Hostile strategies are contained: each attack of the table by its name, through the real binary, and
//! what containment costs.

mod attacks;
mod deadline;
mod documented;
mod host;
mod leftovers;
mod resident;
mod scratch;

//! The benchmark: plan, run, result, report, each usable without the others.
//!
//! **Method.** Every contender answers the same requests. A mix is cut into slices, and for each
//! slice all contenders run one after another, the order rotating from round to round: what the
//! machine does meanwhile (heat, neighbours, page cache) falls on all of them alike. The mixes of a
//! sweep are interleaved in the same way. What differs is told with its interval of confidence over the
//! rounds (`interval.rs`).
//!
//! **Load.** A closed loop: C requests are in flight on W workers, and a request that is answered puts the
//! next one in, so that C − W always wait. Or an open loop: requests are due at a fixed rate, and their
//! latency counts from the moment at which they were due, so that a stall is not hidden (`arrivals.rs`).
//!
//! **Phases.** Service time runs from a worker taking a request to its page rendered to bytes;
//! time in queue from the request's entry to that moment; latency, what a client sees, is both.
//! Percentiles are of service time unless another is named. Compiling, opening and warming up
//! happen before the clock runs. Where a page's time goes is told phase by phase ([`phases`]).
//!
//! **Correctness.** A digest of the ids of every measured page is kept, outside the timed span, and
//! must be the same for all contenders: a benchmark of wrong answers does not finish.

mod arrivals;
mod clock;
mod conditions;
mod document;
mod failure;
pub mod floor;
mod interval;
mod keep;
mod load;
mod machine;
mod mixes;
pub mod phases;
mod plan;
mod queue;
mod ratio;
mod report;
mod result;
mod run;
mod slice;
mod sweep;
mod tally;
mod verdict;

#[cfg(test)]
mod fakes;

pub use clock::{Clock, SystemClock};
pub use conditions::{Conditions, LogFacts};
pub use document::document;
pub use failure::{Failure, Place};
pub use keep::keep;
pub use load::{Load, workers_for};
pub use machine::Machine;
pub use mixes::{Asked, Wish, mixes};
pub use phases::{PhaseTimes, Phases};
pub use plan::{Axis, Contender, Kind, Mix, Plan, Point};
pub use ratio::Ratio;
pub use report::render;
pub use result::{BenchResult, Context, MixResult, Settings, StrategyResult};
pub use run::{MixRun, Outcome, Round, run};
pub use slice::Render;
pub use sweep::{Step, SweepResult};
pub use tally::{Counts, Tally};

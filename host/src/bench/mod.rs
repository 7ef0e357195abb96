//! The benchmark: plan, run, result, report, each usable without the others.
//!
//! **Method.** Every contender answers the same requests. A mix is cut into slices, and for each
//! slice all contenders run one after another, the order rotating from round to round: what the
//! machine does meanwhile (heat, neighbours, page cache) falls on all of them alike. A slice is a
//! closed loop: C requests are in flight on W workers, and a request that is answered puts the next
//! one in, so that C − W always wait.
//!
//! **Phases.** Service time runs from a worker taking a request to its page rendered to bytes;
//! time in queue from the request's entry to that moment; latency, what a client sees, is both.
//! Percentiles are of service time unless another is named. Compiling, opening and warming up
//! happen before the clock runs.
//!
//! **Correctness.** A digest of the ids of every measured page is kept, outside the timed span, and
//! must be the same for all contenders: a benchmark of wrong answers does not finish.

mod clock;
mod closed_loop;
mod failure;
mod machine;
mod numbers;
mod plan;
mod queue;
mod ratio;
mod report;
mod result;
mod run;
mod tally;
mod verdict;

#[cfg(test)]
mod fakes;

pub use clock::{Clock, SystemClock};
pub use closed_loop::Render;
pub use failure::{Failure, Place};
pub use machine::Machine;
pub use plan::{Contender, Kind, Mix, Plan, workers_for};
pub use ratio::Ratio;
pub use report::render;
pub use result::{BenchResult, MixResult, Settings, StrategyResult};
pub use run::{MixRun, Outcome, Round, run};
pub use tally::Tally;

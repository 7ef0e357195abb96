//! The service: pages answered by one strategy at a time, which is swapped for another without a request that
//! fails, waits or mixes the two.
//!
//! ```text
//! staged ── checked ── indexed ── proven ── shadow ── ready ── active ── draining
//!    (policy, world,   (scratch)  (verify)  (live     (may be      (answers what it
//!     compiled apart)                        requests) promoted)    began, then goes)
//! ```
//!
//! One pointer says who is active. A request takes a reference from it when it comes, and keeps it, so a swap
//! touches no request that is under way. All guest code runs on operating-system threads: the workers' at
//! ordinary priority for the strategy that serves, those of proofs and comparisons at idle priority for all others.
//!
//! A swap goes through these modules, each of which calls only those below it:
//!
//! ```text
//! handle         orders from outside, and what is shown
//! start, reload  who serves first; another policy
//! scrubbing, comparison, workers, staging    the threads: scratch and log, comparisons, requests, proofs
//! transitions    a transition with what goes with it: records, files, connections
//! lifecycle      the transition itself, under the one lock
//! deployments    the registry: where each deployment is in its life
//! deployment     a strategy with its scratch, breaker and figures
//! ```
//!
//! The modules stand in the order of their dependencies: each uses only those below it.

pub mod client;
mod handle;
mod start;
mod scrubbing;
mod comparison;
mod workers;
mod reload;
mod staging;
mod proof;
mod transitions;
mod inner;
mod persisted_state;
mod sampling;
mod lifecycle;
mod deployments;
mod queue;
mod background;
mod deployment;
mod liars;
mod state_file;
mod high_water;
mod ejected;
mod breaker;
pub mod http;
pub mod decisions;
pub mod orders;
pub mod status;

pub use deployment::Lane;
pub use handle::Service;
pub use queue::{Answered, Pending};
pub use start::Config;

//! The decision log: what was decided about strategies, by whom, when and why.
//!
//! JSON Lines in the state folder, one record a line in canonical form (RFC 8785). Each record carries the
//! hash of the one before it and its own, SHA-256 over its canonical form without `hash`, so that no
//! record can be changed, cut out, put in or moved without breaking the chain from there on:
//!
//! ```text
//! {…,"prev":"000…","seq":1,"hash":a} <- {…,"prev":a,"seq":2,"hash":b} <- {…,"prev":b,"seq":3,"hash":c}
//! ```
//!
//! A chain alone cannot tell that its end was cut off, nor that all of it was written anew. The first is
//! told by `decisions.head` beside the log, as long as that was left alone; both are told by a head that
//! the operator keeps elsewhere: `decisions check --head SEQ:HASH`.

mod append;
mod check;
mod file;
mod record;
mod recorder;

pub use check::{Checked, Fault, check, each};
pub use file::Decisions;
pub(crate) use file::no_links;
pub use record::{Decision, Event, Head, Record, Torn, user, user_of};
pub use recorder::{Denials, Recorder};

#[cfg(test)]
mod tests;

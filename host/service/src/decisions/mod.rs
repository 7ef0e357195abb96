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

mod check;
mod file;
mod record;
mod who;

pub use check::{Checked, Fault, check, each};
pub use file::Decisions;
pub use record::{Event, Head, Record, Torn};
pub use who::{user, user_of};

/// One decision, to be recorded. Texts may come from anywhere: they are escaped and cut.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What was decided.
    pub event: Event,
    /// The strategy's name or path.
    pub strategy: String,
    /// The digest of its component.
    pub digest: Option<String>,
    /// The digest of the policy that was in effect.
    pub policy: Option<String>,
    /// Who decided; the user of this process if nobody is named.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
    /// The request that led to it.
    pub request: Option<String>,
    /// How often, where one record stands for many.
    pub count: Option<u64>,
}

impl Decision {
    /// A decision about a strategy, with its reason and nothing else.
    pub fn new(event: Event, strategy: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            event,
            strategy: strategy.into(),
            digest: None,
            policy: None,
            by: None,
            reason: reason.into(),
            request: None,
            count: None,
        }
    }
}

#[cfg(test)]
mod tests;

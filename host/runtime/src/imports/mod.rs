//! The WIT face of each interface: find the session, count the call, forward, translate the error.
//!
//! The work itself is done by `log`, which the native twins use directly.

mod diagnostics;
mod log;
mod payloads;
mod scratch;
#[cfg(test)]
pub(crate) mod tests;
mod wasi;

use std::time::Instant;

use crate::bindings::{Refusal, types};
use crate::state::State;
use keyhole_log::error::{Error, LIMIT};
use keyhole_log::ledger::Call;
use keyhole_log::session::Session;
use keyhole_log::value::Value;

impl types::Host for State {
    fn convert_error(&mut self, refusal: Refusal) -> wasmtime::Result<types::Error> {
        match refusal {
            Refusal::Error(error) => Ok(error),
            Refusal::Trap(trap) => Err(trap),
        }
    }
}

impl State {
    /// Runs one host call on the session, on the request's clock and in its ledger. An error is also
    /// kept by the session, so that a guest cannot make another one out of it.
    fn call<T>(
        &mut self,
        call: Call,
        run: impl FnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Refusal> {
        let began = Instant::now();
        let Some(session) = self.session.as_deref_mut() else {
            return Err(Refusal::Trap(wasmtime::Error::msg("a host call outside of a request")));
        };
        let outcome = run(session);
        let time = began.elapsed();
        session.ledger.called(call, time);
        self.in_host += time;
        outcome.map_err(|error| refuse(session, error))
    }
}

/// An error as the guest sees it: what it may branch on, nothing about the machine.
pub fn visible(error: &Error) -> types::Error {
    match error {
        Error::Denied { rule, object } => {
            types::Error::Denied(types::Denial { rule: (*rule).to_owned(), object: object.clone() })
        }
        Error::Budget {
            limit: limit @ ("sql_bytes" | "sql_weight" | "value_bytes" | "result_bytes"),
            allowed,
        } => types::Error::TooLarge(types::Overrun { limit: (*limit).to_owned(), allowed: *allowed }),
        Error::Budget { limit, allowed } => {
            types::Error::Budget(types::Overrun { limit: (*limit).to_owned(), allowed: *allowed })
        }
        Error::Busy => types::Error::Busy,
        Error::Sql { what } => types::Error::Sql(what.clone()),
        Error::PayloadCorrupt { id, .. } => types::Error::PayloadCorrupt(*id),
        // To a guest it is the same budget, which this payload alone would use up.
        Error::PayloadTooLarge { allowed, .. } => {
            types::Error::Budget(types::Overrun { limit: "payload_bytes".to_owned(), allowed: *allowed })
        }
        // The package has no case of its own for it: to a strategy it is an event that cannot be read.
        Error::BadCell { event, .. } => types::Error::PayloadCorrupt(*event),
        Error::UnknownEvent { id } => types::Error::UnknownEvent(*id),
        Error::LogNeedsRecovery { .. } => types::Error::LogNeedsRecovery,
        Error::ScratchFull { .. } => types::Error::ScratchFull,
        other => types::Error::Other(other.code().to_owned()),
    }
}

/// Keeps the error as the host's own record and returns what the guest sees of it.
fn refuse(session: &mut Session, error: Error) -> Refusal {
    let refusal = if matches!(error, Error::BadHandle { .. }) {
        Refusal::Trap(wasmtime::Error::msg(error.to_string()))
    } else {
        if let Error::Budget { limit, .. } = error {
            session.ledger.denied(LIMIT, limit);
        }
        Refusal::Error(visible(&error))
    };
    session.refused = Some(error);
    refusal
}

/// The event behind a handle of the running call.
fn resolve(session: &Session, handle: u32) -> Result<i64, Error> {
    session.claimed(handle).ok_or(Error::BadHandle { what: "a handle of another call" })
}

/// A statement's parameters as the log takes them.
fn values(params: Vec<types::Value>) -> Vec<Value> {
    params.into_iter().map(Into::into).collect()
}

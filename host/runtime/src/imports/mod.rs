//! The WIT face of each interface: find the session, count the call, forward, translate the error.
//!
//! The work itself is done by `log`, which the native twins use directly.

mod diagnostics;
mod log;
mod payloads;
mod scratch;
pub(crate) mod wasi;

use std::time::Instant;

use crate::bindings::types;
use crate::error::{Error, LIMIT};
use crate::ledger::Call;
use crate::log::session::Session;
use crate::state::State;

/// Why a host call did not answer: an error for the guest, or a breach of contract that traps.
#[derive(Debug)]
pub enum Refusal {
    /// The guest gets this.
    Error(types::Error),
    /// The guest traps.
    Trap(wasmtime::Error),
}

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
        outcome.map_err(|error| session.refuse(error))
    }
}

/// An error as the guest sees it: what it may branch on, nothing about the machine.
pub fn visible(error: &Error) -> types::Error {
    match error {
        Error::Denied { rule, object } => {
            types::Error::Denied(types::Denial { rule: (*rule).to_owned(), object: object.clone() })
        }
        Error::Budget { limit: limit @ ("sql_bytes" | "value_bytes" | "result_bytes"), allowed } => {
            types::Error::TooLarge(types::Overrun { limit: (*limit).to_owned(), allowed: *allowed })
        }
        Error::Budget { limit, allowed } => {
            types::Error::Budget(types::Overrun { limit: (*limit).to_owned(), allowed: *allowed })
        }
        Error::Busy => types::Error::Busy,
        Error::Sql { what } => types::Error::Sql(what.clone()),
        Error::PayloadCorrupt { id, .. } => types::Error::PayloadCorrupt(*id),
        Error::UnknownEvent { id } => types::Error::UnknownEvent(*id),
        Error::LogNeedsRecovery { .. } => types::Error::LogNeedsRecovery,
        Error::ScratchFull { .. } => types::Error::ScratchFull,
        other => types::Error::Other(other.code().to_owned()),
    }
}

impl Session {
    /// Keeps the error as the host's own record and returns what the guest sees of it.
    fn refuse(&mut self, error: Error) -> Refusal {
        let refusal = if matches!(error, Error::BadHandle { .. }) {
            Refusal::Trap(wasmtime::Error::msg(error.to_string()))
        } else {
            if let Error::Budget { limit, .. } = error {
                self.ledger.denied(LIMIT, limit);
            }
            Refusal::Error(visible(&error))
        };
        self.refused = Some(error);
        refusal
    }

    /// The event behind a handle of the running call.
    fn resolve(&self, handle: u32) -> Result<i64, Error> {
        self.claimed(handle).ok_or(Error::BadHandle { what: "a handle of another call" })
    }
}

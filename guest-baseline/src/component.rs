//! The plan behind the bindings.

use std::panic::{self, PanicHookInfo};
use std::sync::Once;

use crate::bindings::exports::keyhole::strategy::paging::Guest;
use crate::bindings::keyhole::strategy::log::{self, Event, Value};
use crate::bindings::keyhole::strategy::types::{self, Error, PageRequest};
use crate::bindings::keyhole::strategy::{diagnostics, payloads};
use crate::payload::decode;
use crate::plan::{Param, Position, Request, plan};

/// The implementation that `bindings` exports.
pub(crate) struct Baseline;

impl Guest for Baseline {
    fn page(request: PageRequest) -> Result<Vec<Event>, Error> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| panic::set_hook(Box::new(note)));

        let plan = plan(&plain(&request));
        let params: Vec<Value> = plan.params.into_iter().map(value).collect();
        let events = log::select(&plan.sql, &params)?;
        for event in &events {
            let line = payloads::read(event)?;
            if decode(&line).is_none() {
                return Err(Error::PayloadCorrupt(event.key()?.id));
            }
        }
        Ok(events)
    }
}

fn plain(request: &PageRequest) -> Request<'_> {
    Request {
        from_ts: request.filter.from_ts,
        to_ts: request.filter.to_ts,
        actor_id: request.filter.actor_id,
        action: request.filter.action.as_deref(),
        position: match request.position {
            types::Position::Page(page) => Position::Page(page),
            types::Position::After(key) => Position::After { created_at: key.created_at, id: key.id },
        },
        page_size: request.page_size,
        up_to: request.up_to,
    }
}

fn value(param: Param<'_>) -> Value {
    match param {
        Param::Integer(number) => Value::Integer(number),
        Param::Text(text) => Value::Text(text.to_owned()),
    }
}

/// Leaves the panic's message and place in the ledger; the trap that follows carries neither.
fn note(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("panicked");
    match info.location() {
        Some(at) => diagnostics::note(&format!("{message}, at {}:{}", at.file(), at.line())),
        None => diagnostics::note(message),
    }
}

//! `payloads`: an event's line, by handle.

use wasmtime::component::Resource;

use super::resolve;
use crate::bindings::payloads::Host;
use crate::bindings::{EventHandle, Refusal};
use crate::state::State;
use keyhole_log::ledger::Call;

impl Host for State {
    fn read(&mut self, event: Resource<EventHandle>) -> Result<Vec<u8>, Refusal> {
        self.call(Call::Read, |session| {
            let id = resolve(session, event.rep())?;
            let line = session.payload(id)?.to_vec();
            session.ledger.boundary_bytes += line.len() as u64;
            Ok(line)
        })
    }
}

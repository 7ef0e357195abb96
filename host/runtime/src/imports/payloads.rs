//! `payloads`: an event's line, by handle.

use wasmtime::component::Resource;

use super::Refusal;
use crate::bindings::payloads::Host;
use crate::ledger::Call;
use crate::state::{EventHandle, State};

impl Host for State {
    fn read(&mut self, event: Resource<EventHandle>) -> Result<Vec<u8>, Refusal> {
        self.call(Call::Read, |session| {
            let id = session.resolve(event.rep())?;
            let line = session.payload(id)?.to_vec();
            session.ledger.boundary_bytes += line.len() as u64;
            Ok(line)
        })
    }
}

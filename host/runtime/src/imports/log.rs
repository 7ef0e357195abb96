//! `log`: the snapshot's rows, and handles for events.

use wasmtime::component::Resource;

use super::{resolve, values};
use crate::bindings::log::{Host, HostEvent};
use crate::bindings::types::{Key, Rows, Value};
use crate::bindings::{EventHandle, Refusal};
use crate::state::State;
use keyhole_log::error::Error;
use keyhole_log::ledger::Call;

impl Host for State {
    fn high_water(&mut self) -> wasmtime::Result<i64> {
        match self.call(Call::HighWater, |session| Ok(session.high_water())) {
            Ok(id) => Ok(id),
            Err(Refusal::Trap(trap)) => Err(trap),
            Err(Refusal::Error(error)) => Err(wasmtime::Error::msg(error.to_string())),
        }
    }

    fn query(&mut self, sql: String, params: Vec<Value>) -> Result<Rows, Refusal> {
        self.call(Call::Query, |session| session.query(&sql, &values(params))).map(Into::into)
    }

    fn select(&mut self, sql: String, params: Vec<Value>) -> Result<Vec<Resource<EventHandle>>, Refusal> {
        self.call(Call::Select, |session| session.select(&sql, &values(params))).map(own)
    }

    fn fetch(&mut self, ids: Vec<i64>) -> Result<Vec<Resource<EventHandle>>, Refusal> {
        self.call(Call::Fetch, |session| session.fetch(&ids)).map(own)
    }
}

impl HostEvent for State {
    fn key(&mut self, event: Resource<EventHandle>) -> Result<Key, Refusal> {
        self.call(Call::Key, |session| {
            let id = resolve(session, event.rep())?;
            let key = session.snapshot().key(id)?.ok_or(Error::UnknownEvent { id })?;
            Ok(Key { created_at: key.created_at, id })
        })
    }

    /// Nothing is held for a handle but its number.
    fn drop(&mut self, _event: Resource<EventHandle>) -> wasmtime::Result<()> {
        Ok(())
    }
}

fn own(handles: Vec<u32>) -> Vec<Resource<EventHandle>> {
    handles.into_iter().map(Resource::new_own).collect()
}

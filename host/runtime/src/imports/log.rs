//! `log`: the snapshot's rows, and handles for events.

use wasmtime::component::Resource;

use super::Refusal;
use crate::bindings::log::{Host, HostEvent};
use crate::bindings::types::{Key, Rows, Value};
use crate::error::Error;
use crate::ledger::Call;
use crate::state::{EventHandle, State};

impl Host for State {
    fn high_water(&mut self) -> wasmtime::Result<i64> {
        match self.call(Call::HighWater, |session| Ok(session.high_water())) {
            Ok(id) => Ok(id),
            Err(Refusal::Trap(trap)) => Err(trap),
            Err(Refusal::Error(error)) => Err(wasmtime::Error::msg(error.to_string())),
        }
    }

    fn query(&mut self, sql: String, params: Vec<Value>) -> Result<Rows, Refusal> {
        self.call(Call::Query, |session| session.query(&sql, &params))
    }

    fn select(&mut self, sql: String, params: Vec<Value>) -> Result<Vec<Resource<EventHandle>>, Refusal> {
        self.call(Call::Select, |session| session.select(&sql, &params)).map(own)
    }

    fn fetch(&mut self, ids: Vec<i64>) -> Result<Vec<Resource<EventHandle>>, Refusal> {
        self.call(Call::Fetch, |session| session.fetch(&ids)).map(own)
    }
}

impl HostEvent for State {
    fn key(&mut self, event: Resource<EventHandle>) -> Result<Key, Refusal> {
        self.call(Call::Key, |session| {
            let id = session.resolve(event.rep())?;
            let key = session.key(id)?.ok_or(Error::UnknownEvent { id })?;
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

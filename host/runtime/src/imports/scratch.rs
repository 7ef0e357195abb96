//! `scratch`: writing to a strategy's own tables, in a refresh.

use super::values;
use crate::bindings::Refusal;
use crate::bindings::scratch::Host;
use crate::bindings::types::Value;
use crate::state::State;
use keyhole_log::ledger::Call;

impl Host for State {
    fn execute(&mut self, sql: String, params: Vec<Value>) -> Result<u64, Refusal> {
        self.call(Call::Execute, |session| session.execute(&sql, &values(params)))
    }

    fn execute_many(&mut self, sql: String, params: Vec<Value>) -> Result<u64, Refusal> {
        self.call(Call::ExecuteMany, |session| session.execute_many(&sql, &values(params)))
    }
}

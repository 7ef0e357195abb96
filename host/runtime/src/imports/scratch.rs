//! `scratch`: writing to a strategy's own tables, in a refresh.

use super::Refusal;
use crate::bindings::scratch::Host;
use crate::bindings::types::Value;
use crate::ledger::Call;
use crate::state::State;

impl Host for State {
    fn execute(&mut self, sql: String, params: Vec<Value>) -> Result<u64, Refusal> {
        self.call(Call::Execute, |session| session.execute(&sql, &params))
    }

    fn execute_many(&mut self, sql: String, params: Vec<Value>) -> Result<u64, Refusal> {
        self.call(Call::ExecuteMany, |session| session.execute_many(&sql, &params))
    }
}

//! `diagnostics`: a strategy's notes to its operator.

use crate::bindings::Refusal;
use crate::bindings::diagnostics::Host;
use crate::state::State;
use keyhole_log::ledger::Call;

impl Host for State {
    fn note(&mut self, text: String) -> wasmtime::Result<()> {
        let kept = self.call(Call::Note, |session| {
            session.note(&text);
            Ok(())
        });
        match kept {
            Err(Refusal::Trap(trap)) => Err(trap),
            _ => Ok(()),
        }
    }
}

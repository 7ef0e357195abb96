//! WASI for an instance: made inert when it is first called, so that a strategy without WASI pays nothing.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtxView, WasiView};

use crate::inert::{Inert, Still};
use crate::state::State;
use keyhole_log::grants::WASI;

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let inert = self.inert();
        WasiCtxView { ctx: &mut inert.context, table: &mut inert.table }
    }
}

impl State {
    pub(crate) fn inert(&mut self) -> &mut Inert {
        self.wasi.get_or_insert_with(|| Box::new(Inert::new()))
    }

    /// Counts a call of an interface of [`WASI`].
    pub(crate) fn using(&mut self, interface: &str) -> &mut Self {
        if let Some(place) = WASI.iter().position(|known| *known == interface) {
            self.inert().used |= 1 << place;
        }
        self
    }

    /// The table of what WASI handed out.
    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.inert().table
    }

    /// The same, for timers and waiting.
    pub(crate) fn still(&mut self) -> Still<'_> {
        Still(self.table())
    }

    /// Enters what a call did with WASI into its ledger: which interfaces it called, and among its notes
    /// what it wrote.
    pub(crate) fn keep_output(&mut self) {
        let (Some(inert), Some(session)) = (self.wasi.as_deref_mut(), self.session.as_deref_mut()) else {
            return;
        };
        session.ledger.wasi |= std::mem::take(&mut inert.used);
        if let Ok(mut output) = inert.output.lock() {
            session.note(&String::from_utf8_lossy(&output));
            output.clear();
        }
    }
}

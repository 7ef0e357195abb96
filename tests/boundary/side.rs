//! One engine, and calls into the guest on it.

use std::sync::Arc;

use keyhole_log::limits::{Ceilings, Limits};
use keyhole_runtime::compilation::config;
use keyhole_runtime::engine::TICK;
use keyhole_runtime::memory::GuestMemory;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Result, Store, UpdateDeadline};

use crate::rows::{Bench, BenchPre, Rows, State, wit};
use crate::{Crossing, Shape};

const GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest.wasm"));

/// Instances that an engine of the benchmark may hold: the one that is kept, a fresh one, and room.
const INSTANCES: u32 = 4;

/// The host's engine, but for what can end a guest that does not end by itself.
pub struct Side {
    /// Guest code looks at the epoch at each loop and function.
    epochs: bool,
    /// Guest code counts what it runs.
    fuel: bool,
    engine: Engine,
    guest: BenchPre<State>,
    rows: Arc<Rows>,
}

/// An instance, and the store that it lives in.
pub struct Instance {
    store: Store<State>,
    bench: Bench,
}

impl Side {
    /// Compiles the guest; and as in the host a thread advances the engine's epoch.
    pub fn new(epochs: bool, fuel: bool, rows: Arc<Rows>) -> Result<Self> {
        let ceilings = Ceilings { instances: INSTANCES, fuel, ..Ceilings::default() };
        let mut config = config(&ceilings)?;
        config.epoch_interruption(epochs);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, GUEST)?;
        let mut linker = Linker::new(&engine);
        wit::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        let guest = BenchPre::new(linker.instantiate_pre(&component)?)?;
        if epochs {
            let weak = engine.weak();
            std::thread::spawn(move || {
                while let Some(engine) = weak.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            });
        }
        Ok(Self { epochs, fuel, engine, guest, rows })
    }

    /// A store that is bounded as the host bounds it, and an instance in it.
    pub fn instance(&self) -> Result<Instance> {
        let limits = Limits::default();
        let state = State { rows: Arc::clone(&self.rows), memory: GuestMemory::new(&limits) };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(usize::try_from(limits.host_call_bytes)?);
        store.set_max_component_handles(usize::try_from(limits.component_handles)?);
        if self.epochs {
            // This guest ends by itself. The host looks at the clock here, at most once a tick.
            store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
        }
        self.begin(&mut store)?;
        let bench = self.guest.instantiate(&mut store)?;
        Ok(Instance { store, bench })
    }

    /// What the host does before each call.
    fn begin(&self, store: &mut Store<State>) -> Result<()> {
        if self.fuel {
            store.set_fuel(Limits::default().fuel)?;
        }
        if self.epochs {
            store.set_epoch_deadline(1);
        }
        Ok(())
    }

    /// A call into an instance of this side's.
    pub fn call(&self, Instance { store, bench }: &mut Instance, crossing: Crossing) -> Result<i64> {
        self.begin(store)?;
        let (tasks, count) = (bench.keyhole_boundary_tasks(), crossing.rows);
        match crossing.shape {
            Shape::Call => tasks.call_nothing(store),
            Shape::Records => tasks.call_read_records(store, count),
            Shape::Numbers => tasks.call_read_numbers(store, count),
            Shape::Packed => tasks.call_read_packed(store, count),
            Shape::Handles => tasks.call_read_handles(store, count),
            Shape::Fields => tasks.call_read_fields(store, count),
            Shape::Claims => {
                let claims = tasks.call_return_handles(&mut *store, count)?;
                claims.iter().map(|claim| store.data().rows.claimed(claim)).sum()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_sum_ends_the_run_and_says_where() {
        let mut rows = Rows::default();
        let crossing = Crossing { shape: Shape::Records, rows: 10 };
        let right = rows.sum(crossing);
        rows.records[0].id += 1;
        let rows = Arc::new(rows);
        let side = Side::new(true, false, Arc::clone(&rows)).unwrap();
        for sum in [rows.native(crossing), side.call(&mut side.instance().unwrap(), crossing)] {
            let error = crossing.checked(sum, right).unwrap_err().to_string();
            assert!(error.starts_with("records of 10: the ids' sum is "), "{error}");
        }
    }
}

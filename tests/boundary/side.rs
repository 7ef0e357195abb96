//! One engine, an instance on it that is kept, and calls into the guest.

use std::sync::Arc;

use keyhole::engine::{TICK, config};
use keyhole::limits::{Ceilings, GuestMemory, Limits};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Result, Store, UpdateDeadline};

use crate::plan::{Shape, Switches};
use crate::rows::{Bench, BenchPre, Rows, State, wit};

const GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest.wasm"));

/// Instances that an engine of the benchmark may hold: the one that is kept, a fresh one, and room.
const INSTANCES: u32 = 4;

/// An engine and an instance on it that is kept.
pub(crate) struct Side {
    pub(crate) switches: Switches,
    engine: Engine,
    guest: BenchPre<State>,
    rows: Arc<Rows>,
    warm: (Store<State>, Bench),
}

impl Side {
    /// The host's engine, but for the switches; and as in the host a thread that advances its epoch.
    pub(crate) fn new(switches: Switches, rows: &Arc<Rows>) -> Result<Self> {
        let ceilings = Ceilings { instances: INSTANCES, fuel: switches.fuel, ..Ceilings::default() };
        let mut config = config(&ceilings)?;
        config.epoch_interruption(switches.epochs);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, GUEST)?;
        let mut linker = Linker::new(&engine);
        wit::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        let guest = BenchPre::new(linker.instantiate_pre(&component)?)?;
        if switches.epochs {
            tick(&engine);
        }
        let warm = instance(&engine, &guest, switches, rows)?;
        Ok(Self { switches, engine, guest, rows: Arc::clone(rows), warm })
    }

    /// A call into the instance that is kept.
    pub(crate) fn warm(&mut self, shape: Shape, count: u32) -> Result<i64> {
        let (store, bench) = &mut self.warm;
        begin(store, self.switches)?;
        call(store, bench, shape, count)
    }

    /// An instance, one call, and its end.
    pub(crate) fn fresh(&self, shape: Shape, count: u32) -> Result<i64> {
        let (mut store, bench) = instance(&self.engine, &self.guest, self.switches, &self.rows)?;
        call(&mut store, &bench, shape, count)
    }
}

/// Advances the epoch until the engine ends.
fn tick(engine: &Engine) {
    let weak = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
}

/// A store that is bounded as the host bounds it, and an instance in it.
fn instance(
    engine: &Engine,
    guest: &BenchPre<State>,
    switches: Switches,
    rows: &Arc<Rows>,
) -> Result<(Store<State>, Bench)> {
    let limits = Limits::default();
    let state = State { rows: Arc::clone(rows), memory: GuestMemory::new(&limits) };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(usize::try_from(limits.host_call_bytes)?);
    store.set_max_component_handles(usize::try_from(limits.component_handles)?);
    if switches.epochs {
        // This guest ends by itself. The host looks at the clock here, at most once a tick.
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
    }
    begin(&mut store, switches)?;
    let bench = guest.instantiate(&mut store)?;
    Ok((store, bench))
}

/// What the host does before each call.
fn begin(store: &mut Store<State>, switches: Switches) -> Result<()> {
    if switches.fuel {
        store.set_fuel(Limits::default().fuel)?;
    }
    if switches.epochs {
        store.set_epoch_deadline(1);
    }
    Ok(())
}

fn call(store: &mut Store<State>, bench: &Bench, shape: Shape, count: u32) -> Result<i64> {
    let tasks = bench.keyhole_boundary_tasks();
    match shape {
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

//! The wasmtime engine of the process, and the thread that advances its epoch.
//!
//! Everything that a strategy does not need is off: proposals, streams, shared memory. The pool holds
//! as many instances as may run at once; one more is an error, never a wait.

use std::time::Duration;

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::error::Error;

/// How often the epoch advances. A request's guest time is exact to about one tick.
pub const TICK: Duration = Duration::from_millis(5);

/// Instances that may exist at once, in the whole process.
const INSTANCES: u32 = 64;

/// Core instances of one component: its module, the two shims that the component model adds, and
/// room for a component from another toolchain.
const CORE_INSTANCES_EACH: u32 = 8;

/// Largest linear memory. The sum over an instance's memories is a request's own limit.
const MEMORY_BYTES: usize = 64 << 20;

/// Memory that stays mapped in a pool slot and is cleared by hand: less than the page faults cost.
const KEEP_RESIDENT: usize = 512 << 10;

/// The engine. One a process: stores of two engines must not meet.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
}

impl Engine {
    /// Builds the engine and starts its ticker, which ends with the engine.
    pub fn new() -> Result<Self, Error> {
        let inner = wasmtime::Engine::new(&config()).map_err(|error| Error::Engine(format!("{error:#}")))?;
        let weak = inner.weak();
        // A thread of its own: a guest that never yields cannot starve it, as it could a task.
        std::thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                while let Some(engine) = weak.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            })
            .map_err(|source| Error::io("the epoch thread", source))?;
        Ok(Self { inner })
    }

    /// The engine itself.
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(INSTANCES * CORE_INSTANCES_EACH)
        .total_memories(INSTANCES * 2)
        .total_tables(INSTANCES * 4)
        .max_core_instances_per_component(CORE_INSTANCES_EACH)
        .max_memories_per_component(2)
        .max_tables_per_component(4)
        .max_memory_size(MEMORY_BYTES)
        .table_elements(20_000)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(INSTANCES);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(512 << 10)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_gc(false)
        .gc_support(false)
        .wasm_exceptions(false)
        .wasm_function_references(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_threads(false)
        .concurrency_support(false);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_takes_its_configuration() {
        Engine::new().unwrap();
    }
}

//! How components are compiled: wasmtime's configuration, for the engine that serves and for the child process
//! that compiles.
//!
//! Everything that a strategy does not need is off: proposals, streams, shared memory. The pool holds
//! as many instances as may run at once; one more is an error, never a wait.

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
};

use keyhole_log::error::Error;
use keyhole_log::limits::Ceilings;

/// Memory that stays mapped in a pool slot and is cleared by hand: less than the page faults cost.
const KEEP_RESIDENT: usize = 512 << 10;

/// An engine that only compiles: the code is that of [`crate::engine::Engine`], without its pools, which reserve more
/// address space than a child process may have.
pub(crate) fn compiling(fuel: bool) -> Result<wasmtime::Engine, Error> {
    let mut config = settings(fuel);
    // One thread: its processor time is what the component costs, and it has one stack to overrun.
    config.parallel_compilation(false);
    wasmtime::Engine::new(&config).map_err(|error| Error::Engine(format!("{error:#}")))
}

/// The engine's configuration, for whoever measures what one of its settings costs.
pub fn config(ceilings: &Ceilings) -> Result<Config, Error> {
    let size = |bytes: u64| {
        usize::try_from(bytes)
            .map_err(|_| Error::bad_request(format!("{bytes} is more than this machine addresses")))
    };
    let Ceilings { instances, core_instances, .. } = *ceilings;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * core_instances)
        .total_memories(instances * 2)
        .total_tables(instances * 4)
        .max_core_instances_per_component(core_instances)
        .max_memories_per_component(2)
        .max_tables_per_component(4)
        .max_memory_size(size(ceilings.memory)?)
        .table_elements(size(ceilings.table_elements)?)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(instances);
    let mut config = settings(ceilings.fuel);
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .max_wasm_stack(size(ceilings.stack)?);
    Ok(config)
}

/// Everything that the compiled code depends on, and every proposal that strategies do without. Each line
/// from `wasm_gc` on closes advisories of this release line.
fn settings(fuel: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(fuel)
        .cranelift_opt_level(OptLevel::Speed)
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
        .wasm_component_model_async(false)
        .concurrency_support(false);
    config
}

/// An engine error without its backtrace.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    text.lines().map(str::trim).filter(|line| !line.is_empty()).take(4).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The features and settings of a configuration, read back from it.
    fn read_back(config: &Config) -> Vec<String> {
        let text = format!("{config:?}");
        let fields = text.trim_start_matches("Config {").trim_end_matches('}').split(", ");
        fields.map(|field| field.trim().to_owned()).collect()
    }

    #[test]
    fn exactly_the_proposals_that_strategies_need_are_on() {
        let settings = read_back(&config(&Ceilings::default()).unwrap());
        let on: Vec<&str> = settings
            .iter()
            .filter(|setting| setting.starts_with("wasm_"))
            .filter_map(|setting| setting.strip_suffix(": true"))
            .collect();
        assert_eq!(
            on,
            [
                "wasm_mutable_global",
                "wasm_saturating_float_to_int",
                "wasm_sign_extension",
                "wasm_reference_types",
                "wasm_multi_value",
                "wasm_bulk_memory",
                "wasm_simd",
                "wasm_floats",
                "wasm_extended_const",
                "wasm_component_model",
                "wasm_call_indirect_overlong",
                "wasm_bulk_memory_opt",
            ]
        );
    }

    #[test]
    fn each_setting_that_closes_an_advisory_is_set() {
        // Advisories of wasmtime 48 up to 48.0.8 that a newer release fixes, or that a setting makes
        // unreachable whatever the release, and the setting.
        const CLOSED: [(&str, &str); 12] = [
            ("GHSA-43j2-gcp4-m22g", "wasm_gc: false"),
            ("GHSA-wvgq-g5hf-6gm6", "wasm_gc_types: false"),
            ("GHSA-43j2-gcp4-m22g", "wasm_exceptions: false"),
            ("GHSA-43j2-gcp4-m22g", "wasm_function_references: false"),
            ("GHSA-xrvr-8678-5wp8", "wasm_cm_async: false"),
            ("GHSA-32h6-97mm-8q3c", "wasm_cm_async_stackful: false"),
            ("GHSA-9pvw-hwfg-92h5", "wasm_cm_more_async_builtins: false"),
            ("GHSA-p8xm-42r7-89xg", "wasm_memory64: false"),
            ("GHSA-hc7m-r6v8-hg9q", "wasm_threads: false"),
            ("GHSA-hc7m-r6v8-hg9q", "wasm_shared_everything_threads: false"),
            ("GHSA-q8hx-mm92-4wvg", "wasm_tail_call: false"),
            ("GHSA-7qmx-3fpx-r45m", "wasm_custom_descriptors: false"),
        ];
        for config in [config(&Ceilings::default()).unwrap(), settings(true)] {
            let settings = read_back(&config);
            for (advisory, setting) in CLOSED {
                assert!(
                    settings.iter().any(|known| known == setting),
                    "{advisory}: {setting} in {settings:?}"
                );
            }
        }
    }
}

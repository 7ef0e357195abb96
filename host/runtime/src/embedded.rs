//! The strategies that the binary carries: their bytes, and what the baseline was built from.

/// The baseline, as it is embedded.
pub const BASELINE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/baseline.wasm"));

/// The keyset strategy, as it is embedded.
pub const KEYSET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/keyset.wasm"));

/// The digests of the sources that the embedded baseline was built from, as `sha256sum` writes them.
pub const BASELINE_SOURCES: &str = include_str!(concat!(env!("OUT_DIR"), "/baseline_sources.sha256"));

/// The digests that they were frozen with.
pub const BASELINE_MANIFEST: &str = include_str!("../../../tests/data/baseline.sha256");

/// Whether these are the bytes of a strategy that the binary carries.
pub fn contains(bytes: &[u8]) -> bool {
    [BASELINE, KEYSET].contains(&bytes)
}

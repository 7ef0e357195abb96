//! Histories of a log against the keyset strategy's index. What must hold is in `src/index.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: keyhole_fuzz::stack::for_signals(), |data: &[u8]| keyhole_fuzz::index::target(data));

//! Any text as a strategy's SQL. What must hold is in `src/sql.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: keyhole_fuzz::stack::for_signals(), |data: &[u8]| keyhole_fuzz::sql::target(data));

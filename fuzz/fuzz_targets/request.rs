//! Any text as a request. What must hold is in `src/request.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: keyhole_fuzz::stack::for_signals(), |data: &[u8]| keyhole_fuzz::request::target(data));

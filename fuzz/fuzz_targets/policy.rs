//! Any text as a policy. What must hold is in `src/policy.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: keyhole_fuzz::stack::for_signals(), |data: &[u8]| keyhole_fuzz::policy::target(data));

//! Cursors, minted and changed. What must hold is in `src/cursor.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: keyhole_fuzz::stack::for_signals(), |data: &[u8]| keyhole_fuzz::cursor::target(data));

//! libFuzzer's way into the targets. Its `main` calls the function below, over and over.
#![no_main]
#![allow(
    unsafe_code,
    clippy::panic,
    reason = "libFuzzer calls C functions of fixed names; a wrong target ends the run"
)]

use std::sync::OnceLock;

use keyhole_fuzz::{TARGETS, Target};

/// The environment variable that names the target: the command line is libFuzzer's.
const CHOICE: &str = "KEYHOLE_FUZZ_TARGET";

/// Runs one input.
///
/// # Safety
///
/// `data` must lead to `size` bytes, as libFuzzer's does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn LLVMFuzzerTestOneInput(data: *const u8, size: usize) -> i32 {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    let (_, target) = CHOSEN.get_or_init(|| {
        abort_on_panic();
        have_a_stack_for_signals();
        let name = std::env::var(CHOICE).unwrap_or_default();
        match TARGETS.iter().find(|(target, _)| *target == name) {
            Some(target) => target,
            None => panic!("{CHOICE} names no target, but {name:?}"),
        }
    });
    let input = if size == 0 {
        &[]
    } else {
        // SAFETY: libFuzzer passes a pointer to `size` readable bytes, which it keeps until this returns.
        unsafe { std::slice::from_raw_parts(data, size) }
    };
    target(input);
    0
}

/// libFuzzer sees a signal, not a panic; and a panic that the host caught must end the run as well.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// A stack that has overflowed has no room for libFuzzer's handler, which writes the input to a file.
fn have_a_stack_for_signals() {
    const BYTES: usize = 256 << 10;
    let stack = libc::stack_t {
        ss_sp: Box::leak(vec![0u8; BYTES].into_boxed_slice()).as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: BYTES,
    };
    // SAFETY: the memory is this process's for ever, and nothing else uses it.
    let refused = unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) };
    assert_eq!(refused, 0, "no stack for signals");
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: all zeros is a valid value, which the first call replaces by the handler that libFuzzer
        // has installed; the second installs the same handler, to run on the stack above.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action);
            action.sa_flags |= libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

//! A stack for signals. A stack that has overflowed has no room for libFuzzer's handler, which writes the
//! input to a file.
#![allow(unsafe_code, reason = "the C library alone gives signals a stack of their own")]

/// Has the handlers of memory faults run on a stack of their own. libFuzzer's, which are installed after this,
/// keep the flag that they find.
pub fn for_signals() {
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
        // SAFETY: all zeros is a valid value and means the default action, which stays as it is.
        let refused = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_flags = libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        };
        assert_eq!(refused, 0, "no handler for signal {signal}");
    }
}

//! The name of the behaviour, patched into the built component.

use std::hint::black_box;

/// A marker that the build script looks for, the name behind it, and dots to the end. Without a
/// patch it reads `honest`.
static BEHAVIOUR: [u8; 64] = *b"keyhole-test-guest:honest.......................................";
const MARKER_LEN: usize = "keyhole-test-guest:".len();

/// The name of the behaviour to play. Read behind a black box: the compiler must not take the
/// unpatched name for granted.
pub(crate) fn read() -> String {
    let bytes = black_box(&BEHAVIOUR);
    let name = String::from_utf8_lossy(&bytes[MARKER_LEN..]);
    name.trim_end_matches('.').to_owned()
}

//! What an input brought about, told to libFuzzer as if it were coverage: SQLite itself is not
//! instrumented, and two texts that fare differently there should both be kept.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

const SIGNALS: usize = 4096;

/// libFuzzer finds its extra counters by the name of this section.
#[allow(unsafe_code, reason = "a section of its own changes nothing about a plain static")]
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static COUNTERS: [AtomicU8; SIGNALS] = [const { AtomicU8::new(0) }; SIGNALS];

/// Notes that this happened.
pub(crate) fn saw(what: impl Hash) {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    let slot = usize::try_from(hasher.finish() % SIGNALS as u64).unwrap_or_default();
    // An input of its own starts from zero: libFuzzer clears the section.
    COUNTERS[slot].store(1, Relaxed);
}

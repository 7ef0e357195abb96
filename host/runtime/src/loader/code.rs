//! Machine code, and the one place where it is believed.

use wasmtime::component::Component;

use crate::compilation::one_line;
use keyhole_log::error::over_ceiling;

/// Machine code of a component that this program's own compiler made. Nothing else makes a value of it:
/// a compilation here, an answer of a child that was started for it, and bytes whose code of
/// authentication held.
pub(super) struct Code {
    bytes: Vec<u8>,
}

impl Code {
    /// Compiles in this process.
    pub(super) fn compile(engine: &wasmtime::Engine, component: &[u8]) -> Result<Self, String> {
        let bytes = engine.precompile_component(component).map_err(|error| why_invalid(&one_line(&error)))?;
        Ok(Self { bytes })
    }

    /// The answer of a child process that runs this program to compile.
    pub(super) fn from_child(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Bytes that were authenticated as code made here before, in the memory in which they lie now.
    pub(super) fn authenticated(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Loads it. It was examined when it was compiled; whether it fits the engine and its pools, wasmtime
    /// checks, and the error says what does not.
    #[expect(unsafe_code, reason = "the one place where machine code is believed")]
    pub(super) fn load(&self, engine: &wasmtime::Engine) -> Result<Component, String> {
        // SAFETY: `deserialize` asks that the bytes were made by `precompile_component` or `serialize`
        // of this version and not changed since. The three makers of a `Code` are the compiler here, a
        // pipe from a child of this very program that nothing else holds the other end of, and bytes
        // from the cache whose HMAC-SHA-256 under the state folder's key held over this very memory. No
        // other process can write that memory: it is neither mapped from a file nor shared. Version and
        // settings stand in the bytes and are compared by `deserialize` itself.
        let loaded = unsafe { Component::deserialize(engine, &self.bytes) };
        loaded.map_err(|error| why_invalid(&one_line(&error)))
    }
}

/// Why the engine does not take a component: by name where it has more of something than the pools hold.
pub(super) fn why_invalid(text: &str) -> String {
    let ceilings = [
        ("core module instances", "instances"),
        ("memories", "memory"),
        ("memory", "memory"),
        ("table", "table"),
    ];
    match ceilings.into_iter().find(|(words, _)| text.contains("exceeds the") && text.contains(words)) {
        Some((_, what)) => over_ceiling(what, text),
        None => format!("it is not a valid component: {text}"),
    }
}

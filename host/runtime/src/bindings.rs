//! The Rust face of `wit/`, generated; nothing else.

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "indexed-strategy",
        imports: { default: trappable },
        trappable_error_type: { "keyhole:strategy/types.error" => crate::imports::Refusal },
        with: { "keyhole:strategy/log.event": crate::state::EventHandle },
    });
}

pub use generated::exports::keyhole::strategy::{indexing, paging};
pub use generated::keyhole::strategy::{diagnostics, log, payloads, scratch, types};

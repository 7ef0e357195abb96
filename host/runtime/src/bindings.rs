//! The Rust face of `wit/`, generated, and the two types that it asks for.

use keyhole_log::value::{Rows, Value};

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "indexed-strategy",
        imports: { default: trappable },
        trappable_error_type: { "keyhole:strategy/types.error" => crate::bindings::Refusal },
        with: { "keyhole:strategy/log.event": crate::bindings::EventHandle },
    });
}

pub use generated::exports::keyhole::strategy::{indexing, paging};
pub use generated::keyhole::strategy::{diagnostics, log, payloads, scratch, types};

/// Why a host call did not answer: an error for the guest, or a breach of contract that traps.
#[derive(Debug)]
pub enum Refusal {
    /// The guest gets this.
    Error(types::Error),
    /// The guest traps.
    Trap(wasmtime::Error),
}

/// A claim to one event, as the guest holds it. The number behind it is the event's slot in its
/// call and the call's own number (`Session::claimed`).
pub enum EventHandle {}

impl From<types::Value> for Value {
    fn from(value: types::Value) -> Self {
        match value {
            types::Value::Null => Self::Null,
            types::Value::Integer(integer) => Self::Integer(integer),
            types::Value::Real(real) => Self::Real(real),
            types::Value::Text(text) => Self::Text(text),
            types::Value::Blob(blob) => Self::Blob(blob),
        }
    }
}

impl From<Value> for types::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Integer(integer) => Self::Integer(integer),
            Value::Real(real) => Self::Real(real),
            Value::Text(text) => Self::Text(text),
            Value::Blob(blob) => Self::Blob(blob),
        }
    }
}

/// Both kinds of value have one shape, so this moves each cell within the same allocation.
impl From<Rows> for types::Rows {
    fn from(rows: Rows) -> Self {
        Self { columns: rows.columns, cells: rows.cells.into_iter().map(Into::into).collect() }
    }
}

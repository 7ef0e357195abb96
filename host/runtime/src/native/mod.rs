//! Both strategies in plain Rust over the same log module, without a sandbox: its price tag, and for
//! the baseline a second opinion on equality.

pub mod baseline;
pub mod keyset;

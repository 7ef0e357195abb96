//! `keyhole serve`: a real process, spoken to over raw sockets.

mod checkpoints;
mod crowds;
mod errors;
mod history;
mod liars;
mod operators;
mod pages;
mod readiness;
pub(crate) mod server;
mod signals;
mod stalls;
mod stanzas;
mod swaps;
mod tokens;
mod verbs;

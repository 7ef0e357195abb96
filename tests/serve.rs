//! `keyhole serve`: a real process, spoken to over raw sockets.

mod broken;
mod conditional;
mod crowds;
mod errors;
mod operators;
mod pages;
mod readiness;
mod server;
mod signals;
mod stanzas;
mod swaps;
mod tokens;
mod verbs;
mod walkers;

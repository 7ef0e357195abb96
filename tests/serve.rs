//! `keyhole serve`: a real process, spoken to over raw sockets.

mod broken;
mod conditional;
mod crowds;
mod errors;
mod operators;
mod pages;
mod server;
mod signals;
mod tokens;

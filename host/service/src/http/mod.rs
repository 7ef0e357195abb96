//! The service over HTTP: pages for viewers over TCP, everything about strategies for operators on a Unix socket.
//!
//! ```text
//! server ─ connections ─ middleware ─────────────── viewers ─ events ─ query ─ service
//!           (accepting,   (sizes, host, token, rate,  └─ OpenAPI document
//!            HTTP/1.1,     concurrency, panics,
//!            time limits)  compression)
//!                  └───── middleware ─ operators ─ orders, metrics, readiness
//! ```
//!
//! A client is told a code of the one list (`problem`) and the code's text, nothing else: not a word of a strategy's.

// In the order in which a request passes them; each knows those below it alone.
mod server;
mod connections;
mod middleware;
mod viewers;
mod operators;
mod events;
mod query;
mod state;
mod auth;
mod throttle;
mod metrics;
mod problem;
mod limits;
mod logs;

pub use limits::RATE;
pub use server::{Ended, Options, run};

//! The service over HTTP: pages for viewers over TCP, everything about strategies for operators on a Unix socket.
//!
//! ```text
//! listeners ── connection ── door ─────────────── viewers ── events ── service
//!  (budget of   (HTTP/1.1,    (host, token, rate,  (router,   (query, entity tag,
//!   descriptors) time limits)  place)               document)  page, links)
//!        └────── connection ── operators ── orders, metrics, readiness
//! ```
//!
//! A client is told a code of the one list and the code's text, nothing else: not a word of a strategy's.

mod book;
mod bounds;
mod codes;
mod connection;
mod door;
mod etag;
mod events;
mod figures;
mod front;
mod health;
mod hosts;
mod link;
mod listeners;
mod logs;
mod operators;
mod portions;
mod problem;
mod query;
mod rates;
mod request_id;
mod run;
mod scrape;
mod shapes;
mod socket;
mod stalls;
mod tokens;
mod viewers;

pub use bounds::RATE;
pub use run::{Ended, Options, run};

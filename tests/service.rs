//! The service with real strategies, in this process: pages under swaps, strategies on their way, and what
//! stops them. `KEYHOLE_SWAPS` says how many swaps there are; a few thousand if nothing is said.

mod breaker;
mod lives;
mod requests;
mod restart;
mod site;
mod storms;
mod swaps;

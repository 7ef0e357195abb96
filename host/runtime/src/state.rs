//! The `T` of every `Store<T>`: what one instance carries.

use std::time::{Duration, Instant};

use crate::inert::Inert;
use crate::memory::GuestMemory;
use keyhole_log::session::Session;

/// One instance's state.
pub struct State {
    /// The worker's hold on the log, there while a call runs.
    pub session: Option<Box<Session>>,
    /// What the instance's memories and tables add up to.
    pub memory: GuestMemory,
    /// Fuel for each call, where the engine counts it.
    pub fuel: Option<u64>,
    /// When the running call began.
    pub began: Instant,
    /// Time of the running call spent in host calls.
    pub in_host: Duration,
    /// WASI, from the first call of it on.
    pub wasi: Option<Box<Inert>>,
}

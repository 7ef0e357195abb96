//! What the handlers of all requests share, and who asks.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwapOption;

use super::auth::AuthTokens;
use super::metrics::Metrics;
use super::throttle::{ConcurrencyLimit, RateLimit};
use crate::Service;
use keyhole_log::error::Error;
use keyhole_log::feed::Feeder;
use keyhole_log::{Identity, Log};
use keyhole_runtime::page::Cursors;

/// The state of the server.
pub(super) struct AppState {
    /// Who answers.
    pub(super) service: Service,
    /// Mints and reads cursors.
    pub(super) cursor_keys: CursorKeys,
    /// Who is let in.
    pub(super) auth: AuthTokens,
    /// Whether it listens on the loopback, and answers for no other host.
    pub(super) loopback: bool,
    /// How often a client may ask.
    pub(super) rate: RateLimit,
    /// How many requests may be answered at once.
    pub(super) concurrency: ConcurrencyLimit,
    /// What is counted.
    pub(super) metrics: Metrics,
    /// Set once the server is about to end.
    pub(super) ending: AtomicBool,
}

/// A viewer, by the address of the connection's other end.
#[derive(Clone)]
pub(super) struct Viewer(pub(super) IpAddr);

/// Who is at the other end of the admin socket, by what the system says of it.
#[derive(Clone)]
pub(super) struct Operator(pub(super) String);

/// The cursors of the log as it is now. They are bound to the log's own name, which is its first event: an empty
/// log has none yet, and a log that takes another one's place has another.
pub(super) struct CursorKeys {
    log: Log,
    state: PathBuf,
    open: ArcSwapOption<(Identity, Arc<Cursors>)>,
}

impl CursorKeys {
    pub(super) fn new(log: Log, state: PathBuf) -> Self {
        Self { log, state, open: ArcSwapOption::empty() }
    }

    /// The log's cursors. Reads the log only where its file is another one, or was empty.
    pub(super) fn cursors(&self) -> Result<Arc<Cursors>, Error> {
        let now = Identity::of(&self.log.database)?;
        if let Some((_, cursors)) = self.open.load().as_deref().filter(|(identity, _)| *identity == now) {
            return Ok(Arc::clone(cursors));
        }
        let name = tokio::task::block_in_place(|| {
            let feeder = Feeder::open(&self.log)?;
            let first = feeder.first()?;
            first.map_or(Ok(None), |first| feeder.row_text(first))
        })?;
        let cursors = Arc::new(Cursors::open(&self.state, name.clone().unwrap_or_default())?);
        if name.is_some() && Identity::of(&self.log.database)? == now {
            self.open.store(Some(Arc::new((now, Arc::clone(&cursors)))));
        }
        Ok(cursors)
    }
}

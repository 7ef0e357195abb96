//! The cursors of the log as it is now. They are bound to the log's own name, which is its first event: an empty
//! log has none yet, and a log that takes another one's place has another.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::Error;
use crate::log::feed::Feeder;
use crate::log::{Identity, Log};
use crate::page::Cursors;

/// What mints and reads cursors.
pub(super) struct Book {
    log: Log,
    state: PathBuf,
    open: RwLock<Option<(Identity, Arc<Cursors>)>>,
}

impl Book {
    pub(super) fn new(log: Log, state: PathBuf) -> Self {
        Self { log, state, open: RwLock::new(None) }
    }

    /// The log's cursors. Reads the log only where its file is another one, or was empty.
    pub(super) fn cursors(&self) -> Result<Arc<Cursors>, Error> {
        let now = Identity::of(&self.log.database)?;
        if let Some((identity, cursors)) = &*self.open.read().unwrap_or_else(PoisonError::into_inner)
            && *identity == now
        {
            return Ok(Arc::clone(cursors));
        }
        let name = tokio::task::block_in_place(|| {
            let feeder = Feeder::open(&self.log)?;
            let first = feeder.first()?;
            first.map_or(Ok(None), |first| feeder.row_text(first))
        })?;
        let cursors = Arc::new(Cursors::open(&self.state, name.clone().unwrap_or_default())?);
        if name.is_some() && Identity::of(&self.log.database)? == now {
            let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
            *open = Some((now, Arc::clone(&cursors)));
        }
        Ok(cursors)
    }
}

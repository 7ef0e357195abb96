//! The floors: no strategies, but parts of a page's work that none can do without, done alone for the
//! same requests. No page comes of them, so there is nothing to compare or to render.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::Error;
use crate::log::Log;
use crate::log::floor::{BareReads, BareSnapshot, Spans};
use crate::page::{Page, PageRequest, Pager};

/// A snapshot alone: taken, its largest id read, given back.
pub const SNAPSHOT: &str = "floor-snapshot";

/// The page's payloads alone: bare positioned reads of the same spans, nothing checked.
pub const READS: &str = "floor-reads";

/// Whether that is the name of a floor.
pub fn is_floor(name: &str) -> bool {
    [SNAPSHOT, READS].contains(&name)
}

/// Takes a snapshot for each request.
pub struct SnapshotFloor(BareSnapshot);

impl SnapshotFloor {
    /// Opens the log.
    pub fn open(log: &Log) -> Result<Self, Error> {
        BareSnapshot::open(log).map(Self)
    }
}

impl Pager for SnapshotFloor {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        let high_water = self.0.take()?;
        Ok(Page::empty(request.clone(), high_water))
    }
}

/// Where the payloads of each request's page lie.
pub type SpansOf = HashMap<PageRequest, Spans>;

/// Reads the payloads of each request's page.
pub struct ReadsFloor {
    reads: BareReads,
    spans: Arc<SpansOf>,
}

impl ReadsFloor {
    /// Opens the log. `spans` knows every request that will be made.
    pub fn open(log: &Log, spans: Arc<SpansOf>) -> Result<Self, Error> {
        Ok(Self { reads: BareReads::open(log)?, spans })
    }
}

impl Pager for ReadsFloor {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        let spans = self.spans.get(request).ok_or_else(|| {
            Error::Engine(format!("{READS} was asked for a page whose spans it does not know"))
        })?;
        self.reads.read(spans)?;
        Ok(Page::empty(request.clone(), 0))
    }
}

/// Asks a trusted strategy where the payloads of these requests' pages lie.
pub fn spans_of<'r>(
    requests: impl Iterator<Item = &'r PageRequest>,
    trusted: &mut dyn Pager,
) -> Result<Arc<SpansOf>, Error> {
    let mut spans = SpansOf::new();
    for request in requests {
        crate::interrupt::check()?;
        if !spans.contains_key(request) {
            spans.insert(request.clone(), Spans::of(&trusted.page(request)?));
        }
    }
    Ok(Arc::new(spans))
}

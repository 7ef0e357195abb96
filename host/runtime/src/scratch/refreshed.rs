//! What filling a scratch, or refreshing it, took.

use std::time::Duration;

/// The last time that a scratch took events in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Whether it was filled from nothing.
    pub filled: bool,
    /// Events taken in.
    pub events: u64,
    /// Calls of the strategy, each a transaction.
    pub slices: u32,
    /// Copying the events out of the log.
    pub feed: Duration,
    /// The transactions on scratch, each from its beginning to the end of its commit.
    pub transactions: Duration,
    /// Moving what they wrote from the write-ahead log into the database, synced to disk.
    pub checkpoint: Duration,
    /// The most that the write-ahead log held; 0 where it was filled, as that goes without one.
    pub wal_bytes: u64,
    /// From the first event copied to tables that pages can use.
    pub took: Duration,
}

//! Handles of events: which id a strategy claims behind each.

use super::Session;
use crate::error::Error;

/// The slot of a claim in its call; the bits above are the call's number.
const SLOT_BITS: u32 = 12;

/// The most claims that the slot can number.
pub const MOST_CLAIMS: u64 = 1 << SLOT_BITS;

/// Calls after which numbers would repeat: a warm instance never serves as many.
pub const MOST_CALLS: u32 = 1 << (32 - SLOT_BITS);

impl Session {
    /// Handles for these ids, in order.
    pub fn fetch(&mut self, ids: &[i64]) -> Result<Vec<u32>, Error> {
        self.needs_log("fetch")?;
        let first = self.claims.len();
        if ids.len() as u64 > self.handles_left(first) {
            return Err(Error::Budget { limit: "handles", allowed: self.limits.handles });
        }
        self.claims.extend_from_slice(ids);
        self.mint_from(first)
    }

    /// The id behind a handle; None for a handle of another call.
    pub fn claimed(&self, handle: u32) -> Option<i64> {
        let slot = (handle & ((1 << SLOT_BITS) - 1)) as usize;
        let ours = handle >> SLOT_BITS == self.call;
        ours.then(|| self.claims.get(slot).copied()).flatten()
    }

    pub(in crate::log) fn handles_left(&self, held: usize) -> u64 {
        self.limits.handles.min(MOST_CLAIMS).saturating_sub(held as u64)
    }

    pub(in crate::log) fn mint_from(&mut self, first: usize) -> Result<Vec<u32>, Error> {
        let mark = self.call << SLOT_BITS;
        let slots = (first..self.claims.len()).map(|slot| u32::try_from(slot).map(|slot| mark | slot));
        let handles: Vec<u32> =
            slots.collect::<Result<_, _>>().map_err(|_| Error::Engine("too many claims".to_owned()))?;
        self.ledger.handles += handles.len() as u64;
        Ok(handles)
    }
}

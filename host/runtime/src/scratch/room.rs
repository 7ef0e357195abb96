//! Room for one scratch among all that lie in a cache folder: together they keep to a total, and what was not
//! used for longest goes first. What somebody uses never goes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::scratch::hold::Claim;
use crate::scratch::kept;
use keyhole_log::error::Bound;

/// How soon the others are measured again: other processes refresh theirs meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// More than this part of the total is made free at a time, so that not every measurement has to make room.
const PART_FREE: u64 = 16;

/// The most of that.
const MOST_FREE: u64 = 4 << 20;

/// The room of one scratch.
pub(super) struct Room {
    own: PathBuf,
    total: u64,
    others: Mutex<Option<Others>>,
}

/// What the others had, and when.
#[derive(Clone, Copy)]
struct Others {
    bytes: u64,
    at: Instant,
}

impl Room {
    /// The room of the scratch in this folder, beside those in folders next to it.
    pub(super) fn of(own: &Path, total: u64) -> Self {
        Self { own: own.to_owned(), total, others: Mutex::new(None) }
    }

    /// Makes room for so many bytes of this scratch, if there is not enough. The bound, if there cannot be.
    pub(super) fn make(&self, used: u64) -> Option<Bound> {
        let mut seen = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let others = match *seen {
            Some(Others { bytes, at })
                if at.elapsed() < LOOK_AGAIN && used.saturating_add(bytes) <= self.total =>
            {
                return None;
            }
            _ => self.others_beside(used),
        };
        *seen = Some(Others { bytes: others, at: Instant::now() });
        let outgrown = used.saturating_add(others) > self.total;
        outgrown.then_some(Bound::Total { total: self.total, others })
    }

    /// Bytes of the others, after those had to go that stood in the way and that nobody uses.
    fn others_beside(&self, used: u64) -> u64 {
        let Some(root) = self.own.parent() else { return 0 };
        // A folder that cannot be read, nothing can be filled in either.
        let mut folders = kept::folders(root).unwrap_or_default();
        folders.retain(|folder| folder.path != self.own);
        let mut others = folders.iter().map(|folder| folder.bytes).sum::<u64>();
        if used.saturating_add(others) <= self.total {
            return others;
        }
        let wanted = used.saturating_add(MOST_FREE.min(self.total / PART_FREE));
        for folder in folders {
            if wanted.saturating_add(others) <= self.total {
                break;
            }
            if folder.bytes > 0 && Claim::take(&folder.path).is_some_and(|claim| claim.remove().is_ok()) {
                others = others.saturating_sub(folder.bytes);
            }
        }
        others
    }
}

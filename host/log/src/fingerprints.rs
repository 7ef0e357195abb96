//! A few bits of each event's actor and action, kept once an event has been read: the proof of a page
//! passes over events that do not match without reading their rows.
//!
//! A log whose history is changed has them forgotten (see [`Shared::forget`]). Bits that differ show that an event does not match;
//! bits that agree show nothing, and the row is read. A fingerprint that is wrong after all, in a log that was
//! rewritten in place, makes a page unproved, never a liar of an honest strategy.

use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::Identity;
use crate::model::Filter;

/// How many are allocated at once.
const CHUNK: usize = 4096;

/// Largest id whose fingerprint is kept: 64 MiB of fingerprints in all, two bytes an event, only where pages are proved.
pub const MOST_KEPT: i64 = 8192 * 4096;

const MOST_CHUNKS: usize = 8192;

/// Set in every one, so that none is zero, which means unknown.
const KNOWN: u16 = 1 << 15;

const ACTOR_BITS: u32 = 8;

const ACTION_BITS: u32 = 7;

type Chunk = Box<[AtomicU16]>;

/// The fingerprints of one log's events, shared by all that read it.
#[derive(Debug)]
pub struct Fingerprints {
    of: Identity,
    chunks: Box<[OnceLock<Chunk>]>,
}

/// What an event's fingerprint must hold for the event to match a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    mask: u16,
    bits: u16,
}

impl Wanted {
    /// The bits of a filter's actor and action.
    pub fn of(filter: &Filter) -> Self {
        let (mut mask, mut bits) = (0, 0);
        if let Some(actor) = filter.actor_id {
            mask |= (1 << ACTOR_BITS) - 1;
            bits |= actor_bits(actor);
        }
        if let Some(action) = &filter.action {
            mask |= ((1 << ACTION_BITS) - 1) << ACTOR_BITS;
            bits |= action_bits(action) << ACTOR_BITS;
        }
        Self { mask, bits }
    }

    /// Whether an event with this fingerprint may match.
    pub fn allows(self, fingerprint: u16) -> bool {
        fingerprint & self.mask == self.bits
    }
}

impl Fingerprints {
    fn new(of: Identity) -> Arc<Self> {
        Arc::new(Self { of, chunks: (0..MOST_CHUNKS).map(|_| OnceLock::new()).collect() })
    }

    /// An event's fingerprint, if it is known.
    pub fn get(&self, id: i64) -> Option<u16> {
        let (chunk, place) = place(id)?;
        let fingerprint = self.chunks.get(chunk)?.get()?.get(place)?.load(Relaxed);
        (fingerprint != 0).then_some(fingerprint)
    }

    /// Forgets all of them: rows may have changed.
    fn forget(&self) {
        for fingerprint in self.chunks.iter().filter_map(OnceLock::get).flat_map(|chunk| chunk.iter()) {
            fingerprint.store(0, Relaxed);
        }
    }

    /// Keeps the fingerprint of an event whose row has been read, and returns it.
    pub fn set(&self, id: i64, actor: i64, action: &str) -> u16 {
        let fingerprint = KNOWN | action_bits(action) << ACTOR_BITS | actor_bits(actor);
        if let Some((chunk, place)) = place(id)
            && let Some(chunk) = self.chunks.get(chunk)
        {
            let fingerprints = chunk.get_or_init(|| (0..CHUNK).map(|_| AtomicU16::new(0)).collect());
            if let Some(slot) = fingerprints.get(place) {
                slot.store(fingerprint, Relaxed);
            }
        }
        fingerprint
    }
}

/// The fingerprints of a log, for whichever file lies under its name.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Option<Arc<Fingerprints>>>>);

impl Shared {
    /// The fingerprints of this file's events; those of another file that lay there before are dropped.
    pub fn of(&self, database: Identity) -> Arc<Fingerprints> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shared {
            Some(fingerprints) if fingerprints.of == database => Arc::clone(fingerprints),
            _ => Arc::clone(shared.insert(Fingerprints::new(database))),
        }
    }

    /// Forgets what is known of the events, for everybody who reads the log: its history was changed, or may have been.
    pub fn forget(&self) {
        let shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fingerprints) = &*shared {
            fingerprints.forget();
        }
    }
}

fn place(id: i64) -> Option<(usize, usize)> {
    let id = usize::try_from(id).ok().filter(|&id| id < MOST_CHUNKS * CHUNK)?;
    Some((id / CHUNK, id % CHUNK))
}

fn actor_bits(actor: i64) -> u16 {
    fold(actor.unsigned_abs(), ACTOR_BITS)
}

fn action_bits(action: &str) -> u16 {
    // FNV-1a.
    let hash = action.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    fold(hash, ACTION_BITS)
}

/// The top bits of a multiplicative hash.
fn fold(value: u64, bits: u32) -> u16 {
    u16::try_from(value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: Identity = Identity { device: 1, inode: 1 };

    fn filter(actor_id: Option<i64>, action: Option<String>) -> Filter {
        Filter { from_ts: 0, to_ts: 0, actor_id, action }
    }

    proptest! {
        #[test]
        fn an_event_that_matches_is_never_passed_over(
            id in any::<i64>(), actor in any::<i64>(), action in ".{0,8}",
            by_actor in any::<bool>(), by_action in any::<bool>(),
        ) {
            let fingerprints = Fingerprints::new(HERE);
            let fingerprint = fingerprints.set(id, actor, &action);
            prop_assert_eq!(fingerprints.get(id), (0..MOST_KEPT).contains(&id).then_some(fingerprint));
            let wanted = Wanted::of(&filter(by_actor.then_some(actor), by_action.then_some(action)));
            prop_assert!(wanted.allows(fingerprint));
        }
    }

    #[test]
    fn most_events_that_do_not_match_are_passed_over() {
        let fingerprints = Fingerprints::new(HERE);
        let actions = ["LOGIN", "LOGOUT", "UPDATE", "DELETE", "CREATE", "EXPORT"];
        let told_apart = |one: &str| {
            let fingerprint = fingerprints.set(1, 7, one);
            actions
                .iter()
                .filter(|other| !Wanted::of(&filter(None, Some((**other).to_owned()))).allows(fingerprint))
                .count()
        };
        assert_eq!(actions.map(told_apart), [5; 6]);
        let wanted = Wanted::of(&filter(Some(7), None));
        let alike = (0..2000).filter(|&actor| wanted.allows(fingerprints.set(1, actor, "LOGIN"))).count();
        assert!(alike < 40, "{alike} of 2000 actors look like the seventh");
    }

    #[test]
    fn what_is_known_of_a_log_whose_history_was_changed_is_forgotten_by_all() {
        let shared = Shared::default();
        let held = shared.of(HERE);
        held.set(1, 1, "LOGIN");
        held.set(5_000, 1, "LOGIN");
        shared.forget();
        assert_eq!((held.get(1), held.get(5_000)), (None, None));
        assert!(held.set(1, 1, "LOGIN") != 0 && held.get(1).is_some());
    }

    #[test]
    fn another_file_has_fingerprints_of_its_own() {
        let shared = Shared::default();
        shared.of(HERE).set(1, 1, "LOGIN");
        assert!(shared.of(HERE).get(1).is_some());
        assert!(shared.of(Identity { inode: 2, ..HERE }).get(1).is_none());
    }
}

//! A run: how many calls make a slice, then rounds of slices.

use std::time::Duration;

use wasmtime::Result;

use crate::ground::Ground;
use crate::plan::{Variant, order, variants};

/// The most calls in a slice.
const MOST_CALLS: u128 = 1_000_000;

/// Calls before the clock, by which a slice is reckoned.
const TRIAL: u32 = 20;

/// Rounds on one ground. Where memories and code happen to lie moves some figures by a third: as many grounds as a run
/// has time for take part in its medians.
const ROUNDS_A_GROUND: usize = 10;

/// How much is played.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds: samples of each variant.
    pub rounds: u32,
    /// About how long a slice takes; zero for one call.
    pub slice: Duration,
}

impl Effort {
    /// Everything once: whether it works, not how long it takes.
    pub const SMOKE: Self = Self { rounds: 1, slice: Duration::ZERO };
}

/// What was measured of a variant.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The variant.
    pub variant: Variant,
    /// The calls of a slice.
    pub calls: u32,
    /// Nanoseconds a call, one for each round.
    pub samples: Vec<f64>,
}

/// Plays all variants, on a ground that is made anew every few rounds.
pub fn run(make: impl Fn() -> Result<Ground>, effort: Effort) -> Result<Vec<Measured>> {
    let mut ground = make()?;
    let mut all = Vec::new();
    for variant in variants() {
        let calls = if effort.slice.is_zero() {
            1
        } else {
            ground.slice(variant, TRIAL)?;
            calls(effort.slice, ground.slice(variant, TRIAL)? / TRIAL)
        };
        all.push(Measured { variant, calls, samples: Vec::new() });
    }
    for round in 0..effort.rounds as usize {
        if round % ROUNDS_A_GROUND == 0 {
            ground = make()?;
        }
        for index in order(round, all.len()) {
            let Some(Measured { variant, calls, samples }) = all.get_mut(index) else { continue };
            // Before the clock: the one before has taken the caches.
            ground.slice(*variant, 1)?;
            let took = ground.slice(*variant, *calls)?;
            samples.push(took.as_secs_f64() * 1e9 / f64::from(*calls));
        }
    }
    Ok(all)
}

/// How many calls of that time fill a slice.
pub(crate) fn calls(slice: Duration, one: Duration) -> u32 {
    let calls = slice.as_nanos() / one.as_nanos().max(1);
    u32::try_from(calls.clamp(1, MOST_CALLS)).unwrap_or(1)
}

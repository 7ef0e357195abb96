//! Where variants are played: the rows, and each engine with its instance.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{Error, Result};

use crate::plan::{Place, Switches, Variant};
use crate::rows::Rows;
use crate::side::Side;

/// The rows, and an engine for each setting of the switches.
pub struct Ground {
    rows: Arc<Rows>,
    sides: Vec<Side>,
}

impl Ground {
    /// Compiles the guest for each engine.
    pub fn new(rows: Rows) -> Result<Self> {
        let rows = Arc::new(rows);
        let sides = Switches::ALL.into_iter().map(|switches| Side::new(switches, &rows));
        Ok(Self { sides: sides.collect::<Result<_>>()?, rows })
    }

    /// Plays a variant so many times and tells how long that took. Fails at the first wrong sum.
    pub fn slice(&mut self, variant: Variant, calls: u32) -> Result<Duration> {
        let Variant { shape, rows, place, switches } = variant;
        let sum = self.rows.sum(shape, rows);
        if place == Place::Native {
            return timed(variant, calls, sum, || self.rows.native(shape, black_box(rows)));
        }
        let side = self.sides.iter_mut().find(|side| side.switches == switches);
        let side = side.ok_or_else(|| Error::msg(format!("{variant}: there is no such engine")))?;
        if place == Place::Warm {
            timed(variant, calls, sum, || side.warm(shape, black_box(rows)))
        } else {
            timed(variant, calls, sum, || side.fresh(shape, black_box(rows)))
        }
    }
}

fn timed(
    variant: Variant,
    calls: u32,
    right: i64,
    mut call: impl FnMut() -> Result<i64>,
) -> Result<Duration> {
    let began = Instant::now();
    for _ in 0..calls {
        let sum = call().map_err(|error| error.context(variant.to_string()))?;
        if sum != right {
            return Err(Error::msg(format!(
                "{variant}: the ids' sum is {right}, but {sum} came back: rows were lost or changed on the way"
            )));
        }
    }
    Ok(began.elapsed())
}

//! What was measured, as JSON.

use keyhole::bench::{Conditions, Machine};
use serde_json::{Value, json};

use crate::figure::{Figure, Figures};
use crate::run::{Effort, Measured};

/// Everything: versions, machine, conditions, and each variant's figures and samples.
pub fn document(figures: &Figures, effort: Effort, machine: &Machine, conditions: &Conditions) -> Value {
    json!({
        "versions": keyhole::commands::version::versions(),
        "machine": machine,
        "started": conditions.started,
        "load_before": conditions.load_before,
        "load_after": conditions.load_after,
        "rounds": effort.rounds,
        "slice_ns": u64::try_from(effort.slice.as_nanos()).unwrap_or(u64::MAX),
        "unit": "nanoseconds a call",
        "variants": figures.0.iter().map(variant).collect::<Vec<_>>(),
    })
}

fn variant(measured: &Measured) -> Value {
    let Measured { variant, calls, samples } = measured;
    let figure = Figure::of(samples.iter().copied());
    json!({
        "shape": variant.shape.name(),
        "rows": variant.rows,
        "place": variant.place.name(),
        "epochs": variant.switches.epochs,
        "fuel": variant.switches.fuel,
        "calls_a_slice": calls,
        "median": figure.map(|figure| figure.median),
        "interval": figure.map(|figure| figure.interval),
        "range": figure.map(|figure| figure.range),
        "samples": samples,
    })
}

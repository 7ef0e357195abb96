//! What a benchmark must keep: it plays everything, believes no wrong answer, and counts right.

use std::time::Duration;

use keyhole::bench::{Conditions, Machine};

use crate::document::document;
use crate::figure::{Figure, Figures};
use crate::ground::Ground;
use crate::plan::{Place, SIZES, Shape, Switches, Variant, order, variants};
use crate::report::report;
use crate::rows::Rows;
use crate::run::{Effort, calls, run};

#[test]
fn every_variant_is_played_its_sum_is_right_and_it_stands_in_the_tables_and_in_the_json() {
    let figures = Figures(run(|| Ground::new(Rows::default()), Effort::SMOKE).unwrap());
    // A call in two places, and six shapes at four sizes in those two, on four engines; those shapes natively.
    assert_eq!(figures.0.len(), (1 + 6 * 4) * 2 * 4 + 6 * 4);
    assert!(figures.0.iter().all(|measured| measured.samples.len() == 1));

    let text = report(&figures);
    assert_eq!(text.matches("\n| records").count(), 4 * SIZES.len(), "{text}");
    // Only a call that crosses nothing has no native side.
    assert_eq!(text.matches('–').count(), 1, "{text}");

    let machine = Machine::detect();
    let document = document(&figures, Effort::SMOKE, &machine, &Conditions::begin(&[], 0));
    assert_eq!(document["variants"].as_array().unwrap().len(), figures.0.len());
}

#[test]
fn a_slice_has_as_many_calls_as_fill_its_time_and_each_round_is_a_sample() {
    let [micro, milli] = [Duration::from_micros(1), Duration::from_millis(1)];
    assert_eq!(
        [calls(milli, micro), calls(milli, milli * 5), calls(milli, Duration::ZERO)],
        [1_000, 1, 1_000_000]
    );

    let effort = Effort { rounds: 2, slice: micro };
    let measured = run(|| Ground::new(Rows::default()), effort).unwrap();
    assert!(measured.iter().all(|one| one.samples.len() == 2));
}

#[test]
fn a_wrong_sum_ends_the_run_and_says_where() {
    for place in [Place::Native, Place::Warm, Place::Fresh] {
        let mut rows = Rows::default();
        rows.records[0].id += 1;
        let mut ground = Ground::new(rows).unwrap();
        let variant = Variant { shape: Shape::Records, rows: 10, place, switches: Switches::NEITHER };
        let error = ground.slice(variant, 1).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("records, 10 rows, {}, neither: the ids' sum", place.name())),
            "{error}"
        );
    }
}

#[test]
fn each_round_plays_each_variant_once_and_turns_the_order_round() {
    let count = variants().len();
    for round in 0..6 {
        let mut sorted = order(round, count);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..count).collect::<Vec<_>>());
    }
    let mut back = order(1, count);
    back.reverse();
    assert_eq!(order(0, count), back);
    assert_ne!(order(0, count), order(2, count));
}

#[test]
fn the_median_has_its_interval_around_it() {
    let figure = Figure::of((1..=101).rev().map(f64::from)).unwrap();
    assert_eq!(figure.median.to_bits(), 51.0_f64.to_bits());
    // Ranks 40 and 62 of 101; the smallest interval of 95 % is from 41 to 61.
    assert_eq!(figure.interval.map(f64::to_bits), [40.0_f64, 62.0].map(f64::to_bits));
    assert_eq!(figure.range.map(f64::to_bits), [1.0_f64, 101.0].map(f64::to_bits));
    assert_eq!(Figure::of([2.0, 4.0]).unwrap().median.to_bits(), 3.0_f64.to_bits());
    assert_eq!(Figure::of([]), None);
}

#[test]
fn packed_rows_hold_what_the_records_hold() {
    let rows = Rows::default();
    for count in SIZES {
        let texts = rows.records.iter().take(count as usize);
        let bytes: usize =
            texts.map(|row| 30 + row.action.len() + row.resource_type.len() + row.resource_id.len()).sum();
        assert_eq!(rows.packed_bytes(count), bytes);
    }
}

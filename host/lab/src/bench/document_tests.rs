#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::bench::fakes::{FakeClock, contender, context, plan, request};
use crate::bench::plan::{Mix, Plan, Point};
use crate::bench::run::run;
use crate::report::{html, text};

/// A mix and a sweep over depth, measured with a fake clock: every figure is exact.
fn measured() -> BenchResult {
    let clock = FakeClock::new();
    let whole = plan(40, 4, 1);
    let point = |page: u32| Mix {
        name: format!("depth: page {page}"),
        requests: vec![request(u64::from(page)); 10],
        point: Some(Point {
            sweep: "depth".into(),
            axis: Axis::Depth,
            label: format!("page {page}"),
            at: f64::from(page),
        }),
        ..whole.mixes[0].clone()
    };
    let mixes = vec![whole.mixes[0].clone(), point(1), point(1_000)];
    let plan = Plan { mixes, ..whole };
    let mut sides = [
        contender("baseline", &clock, 1, 4_000_000),
        contender("keyset", &clock, 1, 40_000),
        contender("./mine.wasm", &clock, 1, 50_000),
    ];
    let runs = run(&plan, &mut sides, &|_, _| clock.advance(2_000), &clock, &mut |_| Ok(())).unwrap();
    BenchResult::new(&plan, &sides, &runs, context())
}

#[test]
fn a_result_is_told_with_its_plots_its_tables_and_its_conditions() {
    let document = document(&[("run".into(), measured())]);
    let headings: Vec<&str> = document.sections.iter().map(|section| section.heading.as_str()).collect();
    assert_eq!(headings, ["What it comes to", "Mix dense", "Sweep depth", "How it was measured"]);
    let said = text(&document, 300, false);
    for words in [
        "keyset answers 95 times as many requests per second as baseline",
        "dense: service time by percentile",
        "168 µs at P98.75",
        "page 1000 ÷ page 1",
        "seed 1337",
        "page cache",
        "program abc",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    let page = html(&document);
    // Two percentile plots and three of the sweep, each for wide and for narrow screens.
    assert_eq!(page.matches("<svg class=\"plot").count(), 10);
    assert_eq!(page.matches("Nothing was measured").count(), 0);
    assert!(!page.contains("<script") && !page.contains("://"), "it asks nobody for anything");
}

#[test]
fn a_strategy_has_one_colour_wherever_it_is_shown() {
    let result = measured();
    let colours = Colours::of(std::iter::once(&result));
    assert_eq!([colours.get("baseline"), colours.get("keyset"), colours.get("./mine.wasm")], [0, 1, 7]);
    let page = html(&document(&[("run".into(), result)]));
    for (name, colour) in [("baseline", 0), ("keyset", 1), ("./mine.wasm", 7)] {
        let keys = page.matches(&format!("</line></svg> {name}</span>")).count();
        let key = format!(
            "<line class=\"line c{colour}\" x1=\"0\" x2=\"22\" y1=\"6\" y2=\"6\"></line></svg> {name}</span>"
        );
        let coloured = page.matches(&key);
        assert_eq!((keys, coloured.count()), (5, 5), "{name}");
    }
}

#[test]
fn several_results_are_set_against_the_first() {
    let (one, mut two) = (measured(), measured());
    for side in two.mixes.iter_mut().flat_map(|mix| &mut mix.results) {
        side.p50_us *= 2.0;
    }
    let document = document(&[("old".into(), one), ("new".into(), two)]);
    let said = text(&document, 300, false);
    let row =
        said.lines().find(|line| line.contains("dense") && line.contains("keyset") && line.contains("new"));
    assert!(row.is_some_and(|row| row.contains("1.00") && row.contains("2.00")), "{said}");
    assert!(said.contains("Benchmark: old, new") && said.contains("new: Mix dense"));
}

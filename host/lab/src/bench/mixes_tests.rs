#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn log(rows: u64) -> Asked {
    let profile = Profile { rows, oldest: 0, newest: 1_000_000, ..Profile::default() };
    Asked { profile, census: None }
}

fn wish(mixes: &[&str], sweeps: &[Axis]) -> Wish {
    Wish {
        mixes: mixes.iter().map(|name| (*name).to_owned()).collect(),
        sweeps: sweeps.to_vec(),
        requests: 8,
        seed: 1,
        concurrency: 4,
        rate: None,
        page_size: 200,
    }
}

fn names(mixes: &[Mix]) -> Vec<&str> {
    mixes.iter().map(|mix| mix.name.as_str()).collect()
}

#[test]
fn without_a_sweep_each_mix_is_measured_for_itself() {
    let made = mixes(&[log(50_000)], &wish(&["contract", "dense", "dense-50"], &[])).unwrap();
    assert_eq!(names(&made), ["contract", "dense", "dense-50"]);
    assert!(
        made.iter().all(|mix| mix.point.is_none() && mix.requests.len() == 8 && mix.load.concurrency == 4)
    );
    assert!(made[2].requests.iter().all(|request| request.page_size == 50));
}

#[test]
fn a_sweep_over_workers_varies_nothing_else() {
    let made = mixes(&[log(50_000)], &wish(&["contract", "dense"], &[Axis::Workers])).unwrap();
    assert_eq!(names(&made)[..2], ["contract, workers=1", "contract, workers=2"]);
    let (one, two) = (&made[0], &made[1]);
    assert_eq!((one.load.workers, two.load.workers), (1, 2));
    assert_eq!((one.load.concurrency, &one.requests), (two.load.concurrency, &two.requests));
    let point = two.point.as_ref().unwrap();
    assert_eq!((point.sweep.as_str(), point.label.as_str()), ("contract by workers", "2 workers"));
    let sweeps: std::collections::BTreeSet<_> =
        made.iter().map(|mix| &mix.point.as_ref().unwrap().sweep).collect();
    assert_eq!(sweeps.len(), 2, "each mix is a sweep of its own");
}

#[test]
fn sweeps_with_requests_of_their_own_leave_the_mixes_out() {
    let wish = wish(&["contract"], &[Axis::Depth, Axis::PageSize]);
    let made = mixes(&[log(50_000)], &wish).unwrap();
    assert_eq!(
        names(&made),
        [
            "depth: page 1",
            "depth: page 10",
            "depth: page 100",
            "depth: page 1000",
            "page size: 1 a page",
            "page size: 10 a page",
            "page size: 50 a page",
            "page size: 100 a page",
            "page size: 200 a page",
        ]
    );
}

#[test]
fn several_logs_make_a_sweep_over_their_sizes_with_requests_drawn_from_each() {
    let made = mixes(&[log(1_000), log(5_000_000)], &wish(&["dense-50"], &[])).unwrap();
    assert_eq!(names(&made), ["dense-50, log=0 of 1000 events", "dense-50, log=1 of 5000000 events"]);
    assert_eq!((made[0].log, made[1].log), (0, 1));
    let deepest = |mix: &Mix| mix.requests.iter().map(|request| request.skipped().unwrap()).max().unwrap();
    assert!(deepest(&made[0]) < 1_000 && deepest(&made[1]) > 100_000);
}

#[test]
fn a_rate_makes_every_load_an_open_loop() {
    let open = Wish { rate: Some(500.0), ..wish(&["dense"], &[Axis::Workers]) };
    assert!(mixes(&[log(50_000)], &open).unwrap().iter().all(|mix| mix.load.rate == Some(500.0)));
    let both = Wish { rate: Some(500.0), ..wish(&["dense"], &[Axis::Concurrency]) };
    assert!(mixes(&[log(50_000)], &both).unwrap_err().to_string().contains("leave out --rate"));
}

#[test]
fn what_cannot_be_measured_is_refused_with_a_way_out() {
    let refusal = |rows, mixes_: &[&str], sweeps: &[Axis]| {
        mixes(&[log(rows)], &wish(mixes_, sweeps)).unwrap_err().to_string()
    };
    assert!(refusal(9, &["dense"], &[]).contains("the log is too small for the mix dense: it has 9 events"));
    assert!(refusal(9, &[], &[Axis::Depth]).contains("too small for a sweep over page number"));
    assert!(refusal(50_000, &[], &[Axis::Filter]).contains("too small for a sweep over filter"));
    for name in ["sparse", "dense-", "dense-x", "dense50"] {
        assert!(refusal(50_000, &[name], &[]).contains(&format!("there is no mix {name:?}")), "{name}");
    }
    for name in ["dense-0", "dense-201"] {
        assert!(refusal(50_000, &[name], &[]).contains("take dense-1 to dense-200"), "{name}");
    }
}

//! How long a request goes on beyond its budget. The figures are printed; what is asserted is generous,
//! since the machine may be busy, but for the test that is run alone on a quiet one.

use std::path::Path;
use std::time::{Duration, Instant};

use keyhole_lab::selftest::zoo;
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::grants::{Grants, Instances};
use keyhole_log::limits::{Ceilings, Limits};
use keyhole_log::model::Pager;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::loader::Loader;
use keyhole_runtime::page::Worker;
use keyhole_runtime::strategy::Strategy;

use super::host;
use crate::support::binary;

/// Those that the epoch alone can cut, wherever they spin, and whatever one instruction does.
const GUESTS: [&str; 8] = [
    "spin-in-page",
    "spin-in-start",
    "spin-in-realloc",
    "spin-in-resource-drop",
    "spin-in-post-return",
    "bulk-copy-loop",
    "table-fill-loop",
    "held-statement",
];

/// Those that a budget on statements cuts.
const STATEMENTS: [&str; 5] = ["cross-join", "sort-bomb", "like-bomb", "count-loop", "hold-the-log"];

#[test]
fn a_deadline_cuts_soon_after_the_budget() {
    for name in GUESTS.iter().chain(&STATEMENTS) {
        let overrun = overruns(name, 3);
        println!("{name}: {overrun:?} beyond the budget");
        assert!(overrun[0] < Duration::from_secs(2), "{name}: {overrun:?}");
    }
}

/// `tests/full/run` runs it.
#[test]
#[ignore = "exact only on a machine that does nothing else"]
fn a_deadline_cuts_within_10_ms_in_the_guest_and_50_ms_in_statements_on_a_quiet_machine() {
    for (names, most) in [(&GUESTS[..], 10), (&STATEMENTS[..], 50)] {
        for name in names {
            let overrun = overruns(name, 40);
            let (median, worst) = (overrun[20], overrun[39]);
            println!("{name}: median {median:?}, worst {worst:?} beyond the budget");
            assert!(worst <= Duration::from_millis(most), "{name}: {worst:?}");
        }
    }
}

/// The clock of the guest's own code, that of the log's lock and that of the whole request.
#[test]
fn each_clock_alone_ends_a_strategy_that_spins() {
    let (soon, late) = (Duration::from_millis(50), Duration::from_mins(2));
    let long = Limits { guest_time: late, log_lock: late, wall_time: late, ..Limits::default() };
    for (limits, limit) in [
        (Limits { guest_time: soon, ..long.clone() }, "guest_time"),
        (Limits { log_lock: soon, ..long.clone() }, "log_lock"),
        (Limits { wall_time: soon, ..long }, "wall_time"),
    ] {
        let case = host::case("spin-in-page");
        let mut worker = host::worker_under(case, Grants { limits, ..Grants::local() }, Instances::Fresh);
        let error = worker.page(&case.request()).unwrap_err();
        assert!(matches!(error, Error::Budget { limit: named, .. } if named == limit), "{limit}: {error:?}");
    }
}

#[test]
fn a_strategy_that_burns_its_fuel_ends() {
    let engine =
        Engine::with_loader(&Ceilings { fuel: true, ..Ceilings::default() }, Loader::new(binary())).unwrap();
    let bytes = zoo::component("honest").unwrap();
    let case = host::case("honest");
    for (fuel, enough) in [(1_000, false), (1_000_000_000, true)] {
        let grants = Grants { limits: Limits { fuel, ..case.grants().limits }, ..Grants::local() };
        let strategy = Strategy::load(&engine, "honest", Path::new("honest"), &bytes, grants).unwrap();
        let log = Log::open(host::log()).unwrap();
        match Worker::new(&engine, &strategy, Instances::Fresh, &log, None).page(&case.request()) {
            Err(Error::Budget { limit: "fuel", allowed: 1_000 }) => assert!(!enough),
            outcome => assert!(enough && outcome.is_ok(), "{fuel}: {:?}", outcome.err()),
        }
    }
}

#[test]
fn a_strategy_that_spins_in_its_own_code_ends_when_it_is_cancelled() {
    let late = Duration::from_mins(2);
    let limits = Limits { guest_time: late, log_lock: late, wall_time: late, ..Limits::default() };
    let case = host::case("spin-in-page");
    let mut worker = host::worker_under(case, Grants { limits, ..Grants::local() }, Instances::Fresh);
    let request = case.request();
    // Before a request it ends nothing.
    worker.canceller().cancel();
    for _ in 0..2 {
        let canceller = worker.canceller();
        let cancelled = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            canceller.cancel();
            Instant::now()
        });
        let error = worker.page(&request).unwrap_err();
        assert_eq!((error.code(), error.blames_strategy()), ("cancelled", false));
        assert!(cancelled.join().unwrap().elapsed() < Duration::from_secs(2));
    }
}

/// How long each of some requests took beyond guest time and log lock, in ascending order.
fn overruns(name: &str, rounds: usize) -> Vec<Duration> {
    let case = host::case(name);
    let limits = case.grants().limits;
    let mut worker = host::worker(case);
    // The first opens the connection.
    let _ = worker.page(&case.request());
    let mut overruns: Vec<Duration> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            let error = worker.page(&case.request()).unwrap_err();
            let took = began.elapsed();
            assert!(error.blames_strategy(), "{name}: {error}");
            took.saturating_sub(limits.guest_time.max(limits.log_lock))
        })
        .collect();
    overruns.sort_unstable();
    overruns
}

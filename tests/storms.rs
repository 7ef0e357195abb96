//! Storms: eight hostile strategies at once beside an honest one under load, while the log's writer commits.
//! Nothing aborts or panics, every honest page is right, none fails, and the writer is never locked out.
//!
//! In CI the honest strategy has generous time limits, for a machine that does other work as well. With
//! `KEYHOLE_STORM_SECONDS` set, each storm lasts that long, under the limits that ship, and the honest P99
//! may be at most twice its solo value.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use keyhole::engine::Engine;
use keyhole::limits::Limits;
use keyhole::log::Log;
use keyhole::page::{PageRequest, Pager, parse};
use keyhole::policy::{Grants, KEY_COLUMNS};
use keyhole::registry;
use keyhole::scratch::Scratch;
use keyhole::selftest::{cases, zoo};
use keyhole::strategy::{Instances, Strategy, Worker, lane};

use crate::support::Place;
use crate::support::writer::{Commit, Writer, whole_log};

/// Honest workers, one a core of the smallest machine that this is meant for.
const HONEST: usize = 2;

/// Hostile strategies at once.
const HOSTILE: usize = 8;

/// Pages of fifty that the log has at the start.
const PAGES: u64 = 400;

#[test]
#[ignore = "takes minutes of a quiet machine"]
fn all_trap() {
    storm(&["trap-in-mid-page"]);
}

#[test]
#[ignore = "takes minutes of a quiet machine"]
fn all_spin() {
    storm(&["spin-in-page", "spin-in-start", "bulk-copy-loop", "host-call-loop"]);
}

#[test]
#[ignore = "takes minutes of a quiet machine"]
fn all_grow() {
    storm(&["grow-until-refused", "grow-in-start", "many-memories", "many-tables"]);
}

#[test]
#[ignore = "takes minutes of a quiet machine"]
fn mixed() {
    storm(&[
        "spin-in-page",
        "grow-until-refused",
        "trap-in-mid-page",
        "cross-join",
        "sort-bomb",
        "hold-the-log",
        "handle-flood",
        "dropped-event",
    ]);
}

/// After each crash the same worker answers, and rightly.
#[test]
#[ignore = "takes minutes of a quiet machine"]
fn crash_then_answer() {
    storm(&["crash-then-answer"]);
    let (place, data) = a_log();
    let (engine, log) = (crate::support::engine(), Log::open(&data).unwrap());
    let mut worker = hostile(&engine, &log, "crash-then-answer");
    let mut reference = reference(&engine, &log);
    for page in 1..=200 {
        let request = request(page);
        let answer = worker.page(&request);
        if page % 2 == 1 {
            assert_eq!(answer.unwrap_err().code(), "trapped", "page {page}");
        } else {
            assert_eq!(ids(&answer.unwrap()), ids(&reference.page(&request).unwrap()), "page {page}");
        }
    }
    drop(place);
}

/// An honest page as it was served: what was asked, of which snapshot, and what came.
struct Served {
    request: PageRequest,
    high_water: i64,
    ids: Vec<i64>,
}

/// What the honest workers saw for a while.
#[derive(Default)]
struct Seen {
    served: Vec<Served>,
    errors: Vec<String>,
    times: Vec<Duration>,
}

fn storm(names: &[&'static str]) {
    let (place, data) = a_log();
    let (engine, log) = (crate::support::engine(), Log::open(&data).unwrap());
    let keyset = keyset(&engine);
    let scratch = Scratch::new(&engine, &keyset, &log, &place.path("cache"), None);
    scratch.ensure_filled().unwrap();
    let honest = || Worker::new(&engine, &keyset, Instances::Fresh, &log, Some(Arc::clone(&scratch)));

    let (solo, _) = beside(&data, honest, || ());
    let over = AtomicBool::new(false);
    let (stormy, outcomes) = std::thread::scope(|scope| {
        let hostile: Vec<_> = (0..HOSTILE)
            .map(|slot| {
                let name = names[slot % names.len()];
                let worker = hostile(&engine, &log, name);
                let over = &over;
                scope.spawn(move || attack(worker, name, over))
            })
            .collect();
        let (stormy, waits) = beside(&data, honest, || over.store(true, Relaxed));
        let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
        for thread in hostile {
            for (outcome, count) in thread.join().unwrap() {
                *outcomes.entry(outcome).or_default() += count;
            }
        }
        println!("longest wait of {} commits: {:.1} ms", waits.len(), longest(&waits));
        assert!(longest(&waits) < 5_000.0, "the writer would have given up");
        (stormy, outcomes)
    });
    println!("{names:?}: {outcomes:?}");
    assert!(outcomes.values().sum::<u64>() >= HOSTILE as u64, "each attacked at least once: {outcomes:?}");

    assert_eq!(solo.errors, Vec::<String>::new(), "alone");
    assert_eq!(stormy.errors, Vec::<String>::new(), "in the storm");
    let mut reference = reference(&engine, &log);
    for served in solo.served.iter().chain(&stormy.served) {
        let bounded = PageRequest { up_to: Some(served.high_water), ..served.request.clone() };
        assert_eq!(ids(&reference.page(&bounded).unwrap()), served.ids, "{:?}", served.request);
    }
    compare(&solo, &stormy);
}

fn compare(solo: &Seen, stormy: &Seen) {
    let (alone, beside) = (p99(&solo.times), p99(&stormy.times));
    println!(
        "honest P99 {:.2} ms alone ({} pages), {:.2} ms in the storm ({} pages)",
        alone.as_secs_f64() * 1e3,
        solo.times.len(),
        beside.as_secs_f64() * 1e3,
        stormy.times.len()
    );
    let bound = if seconds().is_some() { alone * 2 } else { (alone * 5).max(Duration::from_millis(500)) };
    assert!(beside <= bound, "{beside:?} beside the storm, {alone:?} alone");
}

/// Runs the honest workers and the writer for a while, then calls `end`.
fn beside(data: &Path, worker: impl Fn() -> Worker, end: impl FnOnce()) -> (Seen, Vec<f64>) {
    let span = Duration::from_secs(seconds().unwrap_or(2));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..HONEST)
            .map(|slot| {
                let worker = worker();
                scope.spawn(move || serve(worker, slot as u64, span))
            })
            .collect();
        let writer = scope.spawn(move || {
            let commits: Vec<Commit> =
                Writer::start(data).carry_out(&format!("append {} 5 20", span.as_secs() * 100));
            commits.into_iter().map(|commit| commit.wait_ms).collect::<Vec<f64>>()
        });
        let mut seen = Seen::default();
        for thread in workers {
            let part = thread.join().unwrap();
            seen.served.extend(part.served);
            seen.errors.extend(part.errors);
            seen.times.extend(part.times);
        }
        let waits = writer.join().unwrap();
        end();
        (seen, waits)
    })
}

/// One honest worker in a closed loop. Every hundredth page is kept to be compared.
fn serve(mut worker: Worker, slot: u64, span: Duration) -> Seen {
    let mut seen = Seen::default();
    let began = Instant::now();
    for n in 0.. {
        if began.elapsed() >= span {
            break;
        }
        let request = request((n * 37 + slot * 11) % PAGES + 1);
        let asked = Instant::now();
        match worker.page(&request) {
            Ok(page) => {
                seen.times.push(asked.elapsed());
                if n % 20 == 0 {
                    seen.served.push(Served { ids: ids(&page), high_water: page.high_water, request });
                }
            }
            Err(error) => seen.errors.push(error.to_string()),
        }
    }
    seen
}

/// One hostile worker on idle priority: what came of its requests, by name and count.
fn attack(mut worker: Worker, name: &str, over: &AtomicBool) -> BTreeMap<String, u64> {
    lane::idle().unwrap();
    let request = cases::find(name).unwrap().ask.request();
    let mut outcomes = BTreeMap::new();
    loop {
        let outcome = worker.page(&request).map_or_else(|error| error.observed(), |_| "a page".to_owned());
        *outcomes.entry(outcome).or_default() += 1;
        if over.load(Relaxed) {
            return outcomes;
        }
    }
}

fn hostile(engine: &Engine, log: &Log, name: &str) -> Worker {
    let grants = cases::find(name).unwrap().grants();
    let component = zoo::component(name).unwrap();
    let strategy = Strategy::load(engine, name, Path::new(name), &component, grants).unwrap();
    Worker::new(engine, &strategy, Instances::Fresh, log, None)
}

fn keyset(engine: &Engine) -> Arc<Strategy> {
    let shipped = Limits::default();
    let generous = Limits {
        guest_time: Duration::from_secs(2),
        log_lock: Duration::from_secs(2),
        wall_time: Duration::from_secs(20),
        busy_wait: Duration::from_secs(5),
        ..shipped.clone()
    };
    let limits = if seconds().is_some() { shipped } else { generous };
    let grants = Grants { columns: KEY_COLUMNS.to_vec(), limits, ..Grants::local() };
    Strategy::load(engine, "keyset", Path::new("keyset"), registry::KEYSET, grants).unwrap()
}

fn reference(engine: &Engine, log: &Log) -> Worker {
    let native = registry::strategy(engine, "native-baseline").unwrap();
    Worker::new(engine, &native, Instances::Fresh, log, None)
}

fn request(page: u64) -> PageRequest {
    parse::request(&whole_log(page, 50).to_string(), None).unwrap()
}

fn ids(page: &keyhole::page::Page) -> Vec<i64> {
    page.events().map(|event| event.id).collect()
}

fn a_log() -> (Place, std::path::PathBuf) {
    let place = Place::new();
    let data = place.small_data(PAGES * 50);
    (place, data)
}

fn seconds() -> Option<u64> {
    std::env::var("KEYHOLE_STORM_SECONDS").ok().and_then(|seconds| seconds.parse().ok())
}

fn longest(waits: &[f64]) -> f64 {
    waits.iter().copied().fold(0.0, f64::max)
}

fn p99(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() * 99 / 100).copied().unwrap_or_default()
}

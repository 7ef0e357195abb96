#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Instant;

use super::*;
use crate::bench::clock::SystemClock;
use crate::bench::fakes::{FakeClock, custom, event, honest, number, plan, report, request, target};
use crate::bench::plan::{Axis, Point};
use crate::bench::ratio::Ratio;
use keyhole_log::model::{Page, PageRequest};

fn go<'p>(plan: &'p Plan, targets: &mut [Target], clock: &dyn Clock) -> Result<Vec<MixRun<'p>>, Error> {
    run(plan, targets, &|_, _| (), clock, &mut |_| Ok(()))
}

/// The same plan, each of its mixes under another load.
fn under(load: Load, mut plan: Plan) -> Plan {
    plan.mixes.iter_mut().for_each(|mix| mix.load = load);
    plan
}

type Diary = Arc<Mutex<Vec<(&'static str, u64)>>>;

/// A target that writes down each page number that it answers, and takes 100 ns times that number.
fn scribe(name: &'static str, diary: &Diary, clock: &FakeClock) -> Target {
    let (diary, clock) = (Arc::clone(diary), clock.clone());
    custom(name, 1, move |request| {
        diary.lock().unwrap().push((name, number(request)));
        clock.advance(number(request) * 100);
        Ok(honest(request))
    })
}

fn pages(diary: &Diary) -> Vec<u64> {
    diary.lock().unwrap().iter().map(|(_, page)| *page).collect()
}

/// The code and the exit code that a run ends with.
fn ended(error: &Error) -> (&'static str, u8) {
    (error.code(), error.exit_code())
}

#[test]
fn times_in_service_and_in_queue_are_exact() {
    let (clock, plan) = (FakeClock::default(), plan(40, 4, 1));
    let mut sides = [target("slow", &clock, 1, 100), target("fast", &clock, 1, 10)];
    let mixes = go(&plan, &mut sides, &clock).unwrap();
    let slow = &mixes[0].outcomes[0];
    assert_eq!((slow.times.service.min(), slow.times.service.max()), (100, 100));
    assert_eq!(slow.times.service.len(), 40);
    // Four in flight on one worker: three are ahead of whoever enters, but for the first ones.
    assert_eq!(slow.times.queue.max(), 300);
    assert_eq!(slow.times.queue.count_at(300), 2 * (20 - 3));
    assert_eq!(slow.times.latency.max(), 400);
    for (round, started) in slow.rounds.iter().zip([200, 2_840]) {
        assert_eq!((round.requests, round.wall), (20, Duration::from_micros(2)));
        assert_eq!((round.p50, round.p99), (100, 100));
        assert_eq!(round.started, Duration::from_nanos(started));
        assert_eq!(round.service.histogram().unwrap().len(), 20);
    }
    assert!((slow.rps() - 1e7).abs() < 1e-3);
    assert!((mixes[0].outcomes[1].rps() - 1e8).abs() < 1e-3);
    assert_eq!(slow.times.non_empty, 20);
}

#[test]
fn rendering_counts_as_service_time_into_an_emptied_buffer() {
    let (clock, plan) = (FakeClock::default(), plan(6, 1, 1));
    let render = |page: &Page, bytes: &mut Vec<u8>| {
        assert!(bytes.is_empty());
        bytes.extend(page.events().flat_map(|event| event.payload.to_vec()));
        clock.advance(2_000);
    };
    let mixes = run(&plan, &mut [target("a", &clock, 1, 6_000)], &render, &clock, &mut |_| Ok(())).unwrap();
    let outcome = &mixes[0].outcomes[0];
    assert_eq!((outcome.times.service.min(), outcome.times.queue.max()), (8_000, 0));
    assert_eq!(outcome.phases(), PhaseTimes { render: 2.0, other: 6.0, ..PhaseTimes::default() });
}

#[test]
fn an_open_loop_counts_latency_from_the_moment_at_which_a_request_was_due() {
    let clock = FakeClock::default();
    let stalling = custom("stalling", 1, {
        let clock = clock.clone();
        move |request| {
            // One stall of ten arrivals; every other page takes a tenth of the distance.
            clock.advance(if number(request) == 3 { 10_000 } else { 100 });
            Ok(honest(request))
        }
    });
    let load = Load { concurrency: 1, workers: 1, rate: Some(1e6) };
    let plan = Plan { rounds: 1, ..under(load, plan(20, 1, 1)) };
    let mixes = go(&plan, &mut [stalling], &clock).unwrap();
    let outcome = &mixes[0].outcomes[0];
    // The stalled request itself, and those that were due behind it: due at 3000, 4000, … and answered
    // 100 apart from 12,100 on.
    let waited = (0..12).map(|behind| (10_000_u64 - 900 * behind).max(100));
    let mut expected = Histograms::new().unwrap();
    for latency in waited.chain([100; 8]) {
        expected.record(Duration::ZERO, Duration::ZERO, Duration::from_nanos(latency));
    }
    assert_eq!(outcome.times.latency, expected.service);
    assert_eq!(outcome.times.service.count_at(100), 19, "the pages themselves were quick");
    assert_eq!(outcome.rounds[0].wall, Duration::from_nanos(19_100));
}

#[test]
fn an_open_loop_that_keeps_up_answers_at_its_rate() {
    let clock = FakeClock::default();
    let load = Load { concurrency: 1, workers: 1, rate: Some(500_000.0) };
    let plan = Plan { rounds: 4, warmup: 10, ..under(load, plan(100, 1, 1)) };
    let runs = go(&plan, &mut [target("a", &clock, 1, 500)], &clock).unwrap();
    let outcome = &runs[0].outcomes[0];
    assert_eq!((outcome.times.latency.max(), outcome.times.queue.max()), (500, 0));
    // The first request of a round is due at once, and the last answered before its distance is over.
    assert!(outcome.rounds.iter().all(|round| round.wall == Duration::from_nanos(24 * 2_000 + 500)));
}

#[test]
fn the_points_of_a_sweep_are_interleaved_and_set_against_the_first() {
    let (diary, clock) = (Diary::default(), FakeClock::default());
    let whole = plan(4, 1, 1);
    let mix = |page: u64| Mix {
        name: format!("depth: page {page}"),
        requests: vec![request(page); 4],
        point: Some(Point {
            sweep: "depth".into(),
            axis: Axis::Depth,
            label: format!("page {page}"),
            at: float(page),
        }),
        ..whole.mixes[0].clone()
    };
    let plan = Plan { mixes: vec![mix(1), mix(10)], ..whole };
    let result = report(&plan, &mut [scribe("a", &diary, &clock)], &clock);
    assert_eq!(pages(&diary), [1, 1, 10, 10, 10, 10, 1, 1], "and the second round the other way");
    let [sweep] = &result.sweeps[..] else { panic!("{:?}", result.sweeps) };
    assert_eq!(sweep.mixes, ["depth: page 1", "depth: page 10"]);
    let [step] = &sweep.steps[..] else { panic!("{:?}", sweep.steps) };
    let Ratio { of, to, p50_median, rps_median, p50_95, .. } = &step.ratio;
    assert_eq!((step.strategy.as_str(), of.as_str(), to.as_str()), ("a", "page 10", "page 1"));
    assert!((p50_median - 10.0).abs() < 1e-9 && (rps_median - 0.1).abs() < 1e-9);
    assert_eq!(p50_95.map(|ends| ends.map(f64::round)), Some([10.0, 10.0]));
}

#[test]
fn as_many_workers_run_at_once_as_the_load_says_and_never_more() {
    let (meet, busy) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    let most = Arc::new(AtomicUsize::new(0));
    let mut sides = [custom("a", 2, {
        let most = Arc::clone(&most);
        move |request| {
            most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            if request.page_size == 2 {
                meet.wait(); // goes on only while the other worker is in a request too
            }
            busy.fetch_sub(1, Ordering::SeqCst);
            Ok(honest(request))
        }
    })];
    let whole = plan(8, 2, 2);
    let mix = |workers: usize| Mix {
        name: format!("{workers}"),
        // Pages of a size that says how many workers must meet.
        requests: vec![PageRequest { page_size: u32::try_from(workers).unwrap(), ..request(1) }; 8],
        load: Load { concurrency: 2, workers, rate: None },
        ..whole.mixes[0].clone()
    };
    for (mixes, expected) in [(vec![mix(1), mix(2)], 2), (vec![mix(1)], 1)] {
        let plan = Plan { mixes, ..whole.clone() };
        let runs = go(&plan, &mut sides, &SystemClock::start()).unwrap();
        assert!(runs.iter().all(|run| run.outcomes[0].times.service.len() == 8));
        assert_eq!(most.swap(0, Ordering::SeqCst), expected);
    }
}

#[test]
fn a_floor_is_neither_compared_nor_rendered_nor_counted() {
    let (clock, plan) = (FakeClock::default(), plan(8, 1, 1));
    let floor = custom("floor-snapshot", 1, {
        let clock = clock.clone();
        move |request| {
            clock.advance(5);
            Ok(Page::empty(request.clone(), 0))
        }
    });
    let mut sides = [floor, target("a", &clock, 1, 100), target("b", &clock, 1, 100)];
    let render = |_: &Page, _: &mut Vec<u8>| clock.advance(1_000);
    let runs = run(&plan, &mut sides, &render, &clock, &mut |_| Ok(())).unwrap();
    let medians: Vec<u64> = runs[0].outcomes.iter().map(|outcome| outcome.times.service.max()).collect();
    assert_eq!(medians, [5, 1_100, 1_100]);
    assert_eq!(report(&plan, &mut sides, &clock).mixes[0].non_empty, 4, "pages of the strategies");
}

#[test]
fn rounds_are_interleaved_and_no_one_always_goes_first() {
    let (diary, clock) = (Diary::default(), FakeClock::default());
    let mut sides = [scribe("a", &diary, &clock), scribe("b", &diary, &clock)];
    go(&plan(4, 1, 1), &mut sides, &clock).unwrap();
    let expected = [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3), ("b", 4), ("a", 3), ("a", 4)];
    assert_eq!(*diary.lock().unwrap(), expected);
}

#[test]
fn warm_up_and_lead_in_are_answered_and_not_counted() {
    let lead_in: Vec<u64> = [18, 19, 20, 19, 20].into_iter().chain(1..=20).collect();
    for (warmup, requests, expected, why) in [
        (3, 20, lead_in, "warm-up, then the batch's lead-in, then the batch"),
        (5, 2, vec![2, 1, 2, 1, 2, 1, 2], "a warm-up longer than the mix goes round"),
    ] {
        let (diary, clock) = (Diary::default(), FakeClock::default());
        let plan = Plan { warmup, rounds: 1, ..plan(requests, 1, 1) };
        let mixes = go(&plan, &mut [scribe("a", &diary, &clock)], &clock).unwrap();
        assert_eq!(pages(&diary), expected, "{why}");
        let times = &mixes[0].outcomes[0].times;
        assert_eq!((times.service.len(), times.non_empty), (requests, requests / 2));
    }
}

#[test]
fn a_different_answer_ends_the_run_and_names_both_sides_and_the_request() {
    let clock = FakeClock::default();
    let liar = custom("liar", 1, |request| {
        let mut page = honest(request);
        if number(request) == 3 {
            page.push(event(99));
        }
        Ok(page)
    });
    let error = go(&plan(4, 1, 1), &mut [target("baseline", &clock, 1, 1), liar], &clock).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"baseline and liar differ at request 2 of mix dense: {"from_ts":0,"to_ts":9,"actor_id":null,"action":null,"page":3,"page_size":10}"#
    );
    assert_eq!(ended(&error), ("differs", 1));
}

#[test]
fn an_error_of_a_pager_ends_the_run_and_names_strategy_and_request() {
    let broken = custom("broken", 2, |request| match number(request) {
        2 => Err(Error::GaveUp { what: "tired".into() }),
        _ => Ok(honest(request)),
    });
    let error = go(&plan(40, 4, 2), &mut [broken], &SystemClock::start()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("broken failed at request 1 of mix dense: {"), "{text}");
    assert!(text.contains(r#""page":2,"#) && text.ends_with("}: the strategy gave up: tired"), "{text}");
    assert_eq!(ended(&error), ("gave-up", 1));
}

#[test]
fn an_error_in_the_lead_in_does_not_leave_the_other_worker_waiting() {
    let calls = Arc::new(AtomicUsize::new(0));
    let broken = custom("broken", 2, move |request| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Error::Busy),
        _ => Ok(honest(request)),
    });
    let error = go(&plan(40, 4, 2), &mut [broken], &SystemClock::start()).unwrap_err();
    assert_eq!(ended(&error), ("busy", 2));
}

#[test]
#[should_panic(expected = "pager broke")]
fn a_panic_of_a_pager_is_passed_on_and_leaves_no_one_waiting() {
    let broken = custom("broken", 2, |_| panic!("pager broke"));
    drop(go(&plan(40, 4, 2), &mut [broken], &SystemClock::start()));
}

#[test]
fn progress_ends_at_the_total_and_can_interrupt() {
    let clock = FakeClock::default();
    let plan = Plan { warmup: 2, ..plan(4, 1, 1) };
    let mut sides = [target("a", &clock, 1, 1), target("b", &clock, 1, 1)];
    let mut heard = Vec::new();
    let mut hear = |done| {
        heard.push(done);
        Ok(())
    };
    run(&plan, &mut sides, &|_, _| (), &clock, &mut hear).unwrap();
    // A slow machine hears some figures twice.
    heard.dedup();
    assert_eq!(heard, [0, 2, 4, 6, 8]);
    assert_eq!(plan.total(2), 8);

    let mut stop = |done| if done >= 4 { Err(Error::Interrupted) } else { Ok(()) };
    let error = run(&plan, &mut sides, &|_, _| (), &clock, &mut stop).unwrap_err();
    assert_eq!(ended(&error), ("interrupted", 130));
}

#[test]
fn a_long_batch_can_be_interrupted_before_its_end() {
    let sleepy = custom("sleepy", 1, |request| {
        std::thread::sleep(Duration::from_millis(20));
        Ok(honest(request))
    });
    let plan = Plan { rounds: 1, ..plan(10_000, 1, 1) };
    let begun = Instant::now();
    let mut stop = |_| Err(Error::Interrupted);
    let error = run(&plan, &mut [sleepy], &|_, _| (), &SystemClock::start(), &mut stop).unwrap_err();
    assert_eq!(ended(&error).0, "interrupted");
    assert!(begun.elapsed() < Duration::from_secs(20), "200 s without the interrupt");
}

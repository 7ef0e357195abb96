#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Instant;

use super::super::clock::SystemClock;
use super::super::fakes::{FakeClock, contender, context, custom, event, honest, number, plan, request};
use super::super::plan::Axis;
use super::super::ratio::Ratio;
use super::super::result::BenchResult;
use super::*;
use crate::page::PageRequest;

fn go(plan: &Plan, contenders: &mut [Contender], clock: &dyn Clock) -> Result<Vec<MixRun>, Failure> {
    run(plan, contenders, &|_, _| (), clock, &mut |_| Ok(()))
}

/// A contender that writes down each page number that it answers.
fn scribe(name: &'static str, diary: &Arc<Mutex<Vec<(&'static str, u64)>>>) -> Contender {
    let diary = Arc::clone(diary);
    custom(name, 1, move |request| {
        diary.lock().unwrap().push((name, number(request)));
        Ok(honest(request))
    })
}

/// The code and the exit code that a run ends with.
fn ended(failure: Failure) -> (&'static str, u8) {
    let error = Error::from(failure);
    (error.code(), error.exit_code())
}

#[test]
fn times_in_service_and_in_queue_are_exact() {
    let clock = FakeClock::new();
    let mut sides = [contender("slow", &clock, 1, 100), contender("fast", &clock, 1, 10)];
    let mixes = go(&plan(40, 4, 1), &mut sides, &clock).unwrap();

    let slow = &mixes[0].outcomes[0];
    assert_eq!((slow.tally.service.min(), slow.tally.service.max()), (100, 100));
    assert_eq!(slow.tally.service.len(), 40);
    // Four in flight on one worker: three are ahead of whoever enters, but for the first ones.
    assert_eq!(slow.tally.queue.max(), 300);
    assert_eq!(slow.tally.queue.count_at(300), 2 * (20 - 3));
    assert_eq!(slow.tally.latency.max(), 400);
    for (round, started) in slow.rounds.iter().zip([200, 2_840]) {
        assert_eq!((round.requests, round.wall), (20, Duration::from_micros(2)));
        assert_eq!((round.p50, round.p99), (100, 100));
        assert_eq!(round.started, Duration::from_nanos(started));
        assert_eq!(round.service.histogram().unwrap().len(), 20);
    }
    assert!((slow.rps() - 1e7).abs() < 1e-3);
    assert!((mixes[0].outcomes[1].rps() - 1e8).abs() < 1e-3);
    assert_eq!((mixes[0].requests, mixes[0].non_empty), (40, 20));
}

#[test]
fn rendering_counts_as_service_time_into_an_emptied_buffer() {
    let clock = FakeClock::new();
    let render = |page: &crate::page::Page, bytes: &mut Vec<u8>| {
        assert!(bytes.is_empty());
        bytes.extend(page.events().flat_map(|event| event.payload.to_vec()));
        clock.advance(7);
    };
    let mut sides = [contender("a", &clock, 1, 10)];
    let mixes = run(&plan(6, 1, 1), &mut sides, &render, &clock, &mut |_| Ok(())).unwrap();
    assert_eq!(mixes[0].outcomes[0].tally.service.min(), 17);
    assert_eq!(mixes[0].outcomes[0].tally.queue.max(), 0);
}

#[test]
fn an_open_loop_counts_latency_from_the_moment_at_which_a_request_was_due() {
    let clock = FakeClock::new();
    let stalling = custom("stalling", 1, {
        let clock = clock.clone();
        move |request| {
            // One stall of ten arrivals; every other page takes a tenth of the distance.
            clock.advance(if number(request) == 3 { 10_000 } else { 100 });
            Ok(honest(request))
        }
    });
    let load = Load { concurrency: 1, workers: 1, rate: Some(1e6) };
    let plan = |load| {
        let plan = plan(20, 1, 1);
        let mixes = plan.mixes.iter().map(|mix| Mix { load, ..mix.clone() }).collect();
        Plan { mixes, rounds: 1, ..plan }
    };
    let mixes = go(&plan(load), &mut [stalling], &clock).unwrap();
    let outcome = &mixes[0].outcomes[0];
    // The stalled request itself, and those that were due behind it: due at 3000, 4000, … and answered
    // 100 apart from 12,100 on.
    let waited: Vec<u64> = (0..12).map(|behind| (10_000 - 900 * behind).max(100)).collect();
    let mut expected = Tally::new().unwrap();
    for latency in waited.iter().copied().chain([100; 8]) {
        expected.record(Duration::ZERO, Duration::ZERO, Duration::from_nanos(latency));
    }
    assert_eq!(outcome.tally.latency, expected.service);
    assert_eq!(outcome.tally.service.count_at(100), 19, "the pages themselves were quick");
    assert_eq!(outcome.rounds[0].wall, Duration::from_nanos(19_100));
}

#[test]
fn an_open_loop_that_keeps_up_answers_at_its_rate() {
    let clock = FakeClock::new();
    let load = Load { concurrency: 1, workers: 1, rate: Some(500_000.0) };
    let closed = plan(100, 1, 1);
    let mixes = closed.mixes.iter().map(|mix| Mix { load, ..mix.clone() }).collect();
    let plan = Plan { mixes, rounds: 4, warmup: 10, ..closed };
    let runs = go(&plan, &mut [contender("a", &clock, 1, 500)], &clock).unwrap();
    let outcome = &runs[0].outcomes[0];
    assert_eq!((outcome.tally.latency.max(), outcome.tally.queue.max()), (500, 0));
    // The first request of a round is due at once, and the last answered before its distance is over.
    assert!(outcome.rounds.iter().all(|round| round.wall == Duration::from_nanos(24 * 2_000 + 500)));
}

#[test]
fn the_points_of_a_sweep_are_interleaved_and_set_against_the_first() {
    let diary = Arc::new(Mutex::new(Vec::new()));
    let clock = FakeClock::new();
    let pager = custom("a", 2, {
        let (diary, clock) = (Arc::clone(&diary), clock.clone());
        move |request| {
            diary.lock().unwrap().push(number(request));
            clock.advance(number(request) * 100);
            Ok(honest(request))
        }
    });
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
    let mut sides = [pager];
    let runs = go(&plan, &mut sides, &clock).unwrap();
    assert_eq!(*diary.lock().unwrap(), [1, 1, 10, 10, 10, 10, 1, 1], "and the second round the other way");
    let result = BenchResult::new(&plan, &sides, &runs, context());
    let [sweep] = &result.sweeps[..] else { panic!("{:?}", result.sweeps) };
    assert_eq!(sweep.mixes, ["depth: page 1", "depth: page 10"]);
    let [step] = &sweep.steps[..] else { panic!("{:?}", sweep.steps) };
    let Ratio { of, to, p50_median, rps_median, p50_95, .. } = &step.ratio;
    assert_eq!((step.strategy.as_str(), of.as_str(), to.as_str()), ("a", "page 10", "page 1"));
    assert!((p50_median - 10.0).abs() < 1e-9 && (rps_median - 0.1).abs() < 1e-9);
    assert_eq!(p50_95.map(|ends| ends.map(f64::round)), Some([10.0, 10.0]));
}

#[test]
fn more_workers_answer_more_at_once_and_the_others_stay_at_home() {
    let load = |workers| Load { concurrency: 2, workers, rate: None };
    let (meet, busy) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    let most = Arc::new(AtomicUsize::new(0));
    let (here, most_here) = (Arc::clone(&busy), Arc::clone(&most));
    let pager = custom("a", 2, move |request| {
        most_here.fetch_max(here.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        if request.page_size == 2 {
            meet.wait();
        }
        here.fetch_sub(1, Ordering::SeqCst);
        Ok(honest(request))
    });
    let whole = plan(4, 2, 2);
    let mix = |workers: usize| Mix {
        name: format!("{workers}"),
        // Pages of a size that says how many workers must meet.
        requests: vec![PageRequest { page_size: u32::try_from(workers).unwrap(), ..request(1) }; 8],
        load: load(workers),
        ..whole.mixes[0].clone()
    };
    let mut sides = [pager];
    let one = Plan { mixes: vec![mix(1)], ..whole.clone() };
    go(&Plan { mixes: vec![mix(1), mix(2)], ..one.clone() }, &mut sides, &SystemClock::start()).unwrap();
    assert_eq!(most.swap(0, Ordering::SeqCst), 2);
    go(&one, &mut sides, &SystemClock::start()).unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn a_floor_is_neither_compared_nor_rendered_nor_counted() {
    let clock = FakeClock::new();
    let render = |_: &crate::page::Page, _: &mut Vec<u8>| clock.advance(1_000);
    let floor = custom("floor-snapshot", 1, {
        let clock = clock.clone();
        move |request| {
            clock.advance(5);
            Ok(crate::page::Page::empty(request.clone(), 0))
        }
    });
    let mut sides = [floor, contender("a", &clock, 1, 100), contender("b", &clock, 1, 100)];
    let runs = run(&plan(8, 1, 1), &mut sides, &render, &clock, &mut |_| Ok(())).unwrap();
    let medians: Vec<u64> = runs[0].outcomes.iter().map(|outcome| outcome.tally.service.max()).collect();
    assert_eq!(medians, [5, 1_100, 1_100]);
    assert_eq!(runs[0].non_empty, 4, "pages of the strategies");
}

#[test]
fn a_page_is_timed_phase_by_phase() {
    let clock = FakeClock::new();
    let render = |_: &crate::page::Page, _: &mut Vec<u8>| clock.advance(2_000);
    let mut sides = [contender("a", &clock, 1, 6_000)];
    let runs = run(&plan(8, 1, 1), &mut sides, &render, &clock, &mut |_| Ok(())).unwrap();
    let phases = runs[0].outcomes[0].phases();
    assert_eq!(phases, PhaseTimes { render: 2.0, other: 6.0, ..PhaseTimes::default() });
}

#[test]
fn rounds_are_interleaved_and_no_one_always_goes_first() {
    let diary = Arc::default();
    let mut sides = [scribe("a", &diary), scribe("b", &diary)];
    go(&plan(4, 1, 1), &mut sides, &FakeClock::new()).unwrap();
    let expected = [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3), ("b", 4), ("a", 3), ("a", 4)];
    assert_eq!(*diary.lock().unwrap(), expected);
}

#[test]
fn warm_up_and_lead_in_are_answered_and_not_counted() {
    let diary = Arc::default();
    let plan = Plan { warmup: 3, rounds: 1, ..plan(20, 1, 1) };
    let mixes = go(&plan, &mut [scribe("a", &diary)], &FakeClock::new()).unwrap();
    let diary: Vec<u64> = diary.lock().unwrap().iter().map(|(_, page)| *page).collect();
    let expected: Vec<u64> = [18, 19, 20, 19, 20].into_iter().chain(1..=20).collect();
    assert_eq!(diary, expected, "warm-up, then the slice's lead-in, then the slice");
    assert_eq!(mixes[0].outcomes[0].tally.service.len(), 20);
    assert_eq!(mixes[0].non_empty, 10);
}

#[test]
fn a_warm_up_longer_than_the_mix_goes_round() {
    let diary = Arc::default();
    let plan = Plan { warmup: 5, rounds: 1, ..plan(2, 1, 1) };
    go(&plan, &mut [scribe("a", &diary)], &FakeClock::new()).unwrap();
    let diary: Vec<u64> = diary.lock().unwrap().iter().map(|(_, page)| *page).collect();
    assert_eq!(diary, [2, 1, 2, 1, 2, 1, 2]);
}

#[test]
fn all_workers_run_at_once_and_never_more() {
    let (meet, busy, most) =
        (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (busy_here, most_here) = (Arc::clone(&busy), Arc::clone(&most));
    let pair = custom("pair", 2, move |request| {
        let now = busy_here.fetch_add(1, Ordering::SeqCst) + 1;
        most_here.fetch_max(now, Ordering::SeqCst);
        meet.wait(); // goes on only while the other worker is in a request too
        busy_here.fetch_sub(1, Ordering::SeqCst);
        Ok(honest(request))
    });
    let plan = Plan { rounds: 1, ..plan(8, 4, 2) };
    let mixes = go(&plan, &mut [pair], &SystemClock::start()).unwrap();
    assert_eq!(mixes[0].outcomes[0].tally.service.len(), 8);
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[test]
fn a_different_answer_ends_the_run_and_names_both_sides_and_the_request() {
    let clock = FakeClock::new();
    let liar = custom("liar", 1, |request| {
        let mut page = honest(request);
        if number(request) == 3 {
            page.push(event(99));
        }
        Ok(page)
    });
    let mut sides = [contender("baseline", &clock, 1, 1), liar];
    let failure = go(&plan(4, 1, 1), &mut sides, &clock).unwrap_err();
    assert_eq!(
        failure.to_string(),
        r#"baseline and liar differ at request 2 of mix dense: {"from_ts":0,"to_ts":9,"actor_id":null,"action":null,"page":3,"page_size":10}"#
    );
    assert_eq!(ended(failure), ("differs", 1));
}

#[test]
fn an_error_of_a_pager_ends_the_run_and_names_strategy_and_request() {
    let broken = custom("broken", 2, |request| match number(request) {
        2 => Err(Error::GaveUp { what: "tired".into() }),
        _ => Ok(honest(request)),
    });
    let failure = go(&plan(40, 4, 2), &mut [broken], &SystemClock::start()).unwrap_err();
    let text = failure.to_string();
    assert!(text.starts_with("broken failed at request 1 of mix dense: {"), "{text}");
    assert!(text.contains(r#""page":2,"#), "{text}");
    let source = std::error::Error::source(&failure).unwrap();
    assert_eq!(source.to_string(), "the strategy gave up: tired");
    assert_eq!(ended(failure), ("gave-up", 1));
}

#[test]
fn an_error_in_the_lead_in_does_not_leave_the_other_worker_waiting() {
    let broken = custom("broken", 2, {
        let calls = Arc::new(AtomicUsize::new(0));
        move |request| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Error::Busy),
            _ => Ok(honest(request)),
        }
    });
    let failure = go(&plan(40, 4, 2), &mut [broken], &SystemClock::start()).unwrap_err();
    assert_eq!(ended(failure), ("busy", 2));
}

#[test]
#[should_panic(expected = "pager broke")]
fn a_panic_of_a_pager_is_passed_on_and_leaves_no_one_waiting() {
    let broken = custom("broken", 2, |_| panic!("pager broke"));
    drop(go(&plan(40, 4, 2), &mut [broken], &SystemClock::start()));
}

#[test]
fn progress_ends_at_the_total_and_can_interrupt() {
    let clock = FakeClock::new();
    let plan = Plan { warmup: 2, ..plan(4, 1, 1) };
    let mut sides = [contender("a", &clock, 1, 1), contender("b", &clock, 1, 1)];
    let mut heard = Vec::new();
    run(&plan, &mut sides, &|_, _| (), &clock, &mut |done| {
        heard.push(done);
        Ok(())
    })
    .unwrap();
    // A slow machine hears some figures twice.
    heard.dedup();
    assert_eq!(heard, [0, 2, 4, 6, 8]);
    assert_eq!(plan.total(2), 8);

    let mut stop = |done| if done >= 4 { Err(Error::Interrupted) } else { Ok(()) };
    let failure = run(&plan, &mut sides, &|_, _| (), &clock, &mut stop).unwrap_err();
    assert_eq!(ended(failure), ("interrupted", 130));
}

#[test]
fn a_long_slice_can_be_interrupted_before_its_end() {
    let sleepy = custom("sleepy", 1, |request| {
        std::thread::sleep(Duration::from_millis(20));
        Ok(honest(request))
    });
    let plan = Plan { rounds: 1, ..plan(10_000, 1, 1) };
    let begun = Instant::now();
    let mut stop = |_| Err(Error::Interrupted);
    let failure = run(&plan, &mut [sleepy], &|_, _| (), &SystemClock::start(), &mut stop).unwrap_err();
    assert_eq!(ended(failure).0, "interrupted");
    assert!(begun.elapsed() < Duration::from_secs(20), "200 s without the interrupt");
}

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Instant;

use super::super::clock::SystemClock;
use super::super::fakes::{FakeClock, contender, custom, event, honest, number, plan};
use super::*;

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
    let round = Round { requests: 20, wall: Duration::from_micros(2), p50: 100 };
    assert_eq!(slow.rounds, [round, round]);
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

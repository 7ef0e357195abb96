//! Storms: hostile strategies beside an honest one under load, while the log's writer commits. Eight that do
//! not serve attack at once on idle priority; then one that serves attacks from within its share of the
//! workers. Nothing aborts or panics, every honest page is right, none fails, the writer is never locked out.
//!
//! Calm and storm take turns, so that a machine that does other work as well disturbs both alike. In CI the
//! honest strategy has generous time limits all the same. With `KEYHOLE_STORM_SECONDS` set, calm and storms
//! last that long each, under the limits that ship; the honest P99 may then be at most twice what it is
//! in the calm, and the writer's longest wait is bounded.

mod load;
mod stage;

use std::collections::BTreeMap;
use std::time::Duration;

use keyhole_log::limits::Limits;
use keyhole_log::model::Pager;

use self::load::Seen;
use self::stage::Stage;

/// How often calm and storms take turns.
const ROUNDS: u64 = 4;

#[test]
fn all_trap() {
    storm(&["trap-in-mid-page"]);
}

#[test]
fn all_spin() {
    storm(&["spin-in-page", "spin-in-start", "bulk-copy-loop", "host-call-loop"]);
}

#[test]
fn all_grow() {
    storm(&["grow-until-refused", "grow-in-start", "many-memories", "giant-string"]);
}

#[test]
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
fn crash_then_answer() {
    storm(&["crash-then-answer"]);
    let stage = Stage::new(&["crash-then-answer"]);
    let mut worker = stage.inactive("crash-then-answer");
    let mut seen = Seen::default();
    for page in 1..=200 {
        let answer = worker.page(&stage::request(page));
        if page % 2 == 1 {
            assert_eq!(answer.unwrap_err().code(), "trapped", "page {page}");
        } else {
            seen.served(page, &answer.unwrap());
        }
    }
    assert_eq!(stage.check(&seen), 100);
}

fn storm(names: &[&'static str]) {
    let stage = Stage::new(names);
    let (mut calm, mut idle, mut active) = (Seen::default(), Seen::default(), Seen::default());
    let attackers = load::Attackers::new(&stage, names);
    std::thread::scope(|scope| {
        // However this ends, the attackers end with it.
        let running = attackers.start(scope);
        for round in 0..ROUNDS {
            calm.join(load::round(&stage, None));
            running.begin();
            idle.join(load::round(&stage, None));
            running.pause();
            let name = names[usize::try_from(round).unwrap() % names.len()];
            active.join(load::round(&stage, Some(name)));
        }
    });
    idle.outcomes = attackers.outcomes();
    let judged = [("calm", &calm), ("inactive", &idle), ("active", &active)];
    for (what, seen) in judged {
        println!("{names:?}, {what}: {seen}");
    }
    for (what, seen) in judged {
        assert_eq!(seen.errors, Vec::<String>::new(), "{what}");
        assert_eq!(stage.check(seen), seen.times.len(), "{what}");
        assert_eq!(seen.outcomes.is_empty(), what == "calm", "{what}: {:?}", seen.outcomes);
        assert_eq!(count(&seen.outcomes, |outcome| outcome == "engine"), 0, "{what}: {:?}", seen.outcomes);
        compare(&calm, seen);
    }
    let attacks = count(&idle.outcomes, |_| true);
    assert!(attacks >= ROUNDS * load::HOSTILE as u64, "each attacks in each round: {:?}", idle.outcomes);
}

fn count(outcomes: &BTreeMap<String, u64>, which: impl Fn(&str) -> bool) -> u64 {
    outcomes.iter().filter(|(outcome, _)| which(outcome)).map(|(_, count)| count).sum()
}

fn compare(calm: &Seen, stormy: &Seen) {
    let (alone, beside) = (calm.p99(), stormy.p99());
    let strict = stage::seconds().is_some();
    let bound = if strict { alone * 2 } else { (alone * 5).max(Duration::from_millis(500)) };
    assert!(beside <= bound, "P99 {beside:?} beside the storm, {alone:?} in the calm");
    // That it was never locked out, its own end tells. What it waits for is the longest hold that a
    // request has on the log, its cut, and the writer's own sleep between two looks.
    let (alone, beside) = (calm.longest_wait(), stormy.longest_wait());
    let bound = alone + Limits::default().log_lock * 2;
    assert!(!strict || beside <= bound, "the writer waited {beside:?} in the storm, {alone:?} in the calm");
}

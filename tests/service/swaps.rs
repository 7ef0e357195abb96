//! Swaps under load: no request fails, no walk has a gap or a repeat, and no answer is another strategy's than
//! the one that was active when its request began.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use keyhole_log::model::{Filter, PageRequest, Position};
use keyhole_service::Service;

use super::site::{Site, active, ask, bring_in, from, ids, promote, rollback, shut};

const ROWS: u64 = 1_000;

/// Swaps, if `KEYHOLE_SWAPS` does not say.
const SWAPS: u64 = 500;

/// What walkers saw.
#[derive(Default)]
struct Seen {
    requests: AtomicU64,
    walks: AtomicU64,
    /// Requests during which no swap came, whose strategy is certain.
    certain: AtomicU64,
}

#[test]
fn thousands_of_swaps_under_load_fail_no_request_and_break_no_walk() {
    let mut site = Site::new(ROWS);
    let honest = site.let_in("honest");
    let service = site.open();
    bring_in(&service, &honest, "honest");
    let swaps = std::env::var("KEYHOLE_SWAPS").ok().and_then(|text| text.parse().ok()).unwrap_or(SWAPS);
    let (over, turn, seen) = (AtomicBool::new(false), AtomicU64::new(0), Seen::default());
    let before = service.state().swaps;
    let began = Instant::now();
    std::thread::scope(|scope| {
        for walker in 0..3 {
            let (service, over, turn, seen) = (&service, &over, &turn, &seen);
            scope.spawn(move || {
                while !over.load(SeqCst) {
                    walk(service, 17 + 20 * walker, turn, seen);
                }
            });
        }
        for number in 0..swaps {
            let name = if number % 2 == 0 { "keyset" } else { "honest" };
            // Odd while a swap is under way.
            turn.fetch_add(1, SeqCst);
            let swapped = promote(&service, name);
            turn.fetch_add(1, SeqCst);
            if number % 4 == 0 {
                // Long enough for requests whose strategy is certain.
                std::thread::sleep(Duration::from_millis(3));
            }
            if let Err(error) = swapped {
                over.store(true, SeqCst);
                panic!("swap {number}: {error}");
            }
        }
        over.store(true, SeqCst);
    });
    let state = service.state();
    println!(
        "{swaps} swaps in {:.1} s beside {} requests of {} whole walks, {} of them certain of their strategy; 0 failed",
        began.elapsed().as_secs_f64(),
        seen.requests.load(SeqCst),
        seen.walks.load(SeqCst),
        seen.certain.load(SeqCst)
    );
    assert_eq!(state.swaps, before + swaps);
    assert!(seen.walks.load(SeqCst) > 0 && seen.certain.load(SeqCst) > 0);
    assert!(state.retiring.is_empty() && state.good.len() <= 3, "{state:?}");
    shut(&service);
}

/// One walk over the whole log by cursor, as a client does it: every event once, in order.
fn walk(service: &Service, page_size: u32, turn: &AtomicU64, seen: &Seen) {
    let filter = Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None };
    let (mut position, mut up_to, mut walked) = (Position::Page(1), None, Vec::new());
    loop {
        let request = PageRequest { filter: filter.clone(), position, page_size, up_to };
        let (then, serves) = (turn.load(SeqCst), active(service));
        let pending = service.submit(request).unwrap();
        let certain = then % 2 == 0 && turn.load(SeqCst) == then;
        let answered = pending.wait();
        let page = answered.page.unwrap();
        assert!(["honest", "keyset"].contains(&&*answered.strategy));
        if certain {
            assert_eq!(*answered.strategy, *serves, "another strategy answers than was active");
            seen.certain.fetch_add(1, SeqCst);
        }
        seen.requests.fetch_add(1, SeqCst);
        up_to = up_to.or(Some(page.high_water));
        walked.extend(page.events().map(|event| event.key()));
        match page.last_key() {
            Some(key) if page.is_full() => position = Position::After(key),
            _ => break,
        }
    }
    assert_eq!(walked.len() as u64, ROWS, "a gap or a repeat");
    assert!(walked.is_sorted_by(|one, next| one > next), "out of order");
    seen.walks.fetch_add(1, SeqCst);
}

/// Asked of ten thousand rollbacks elsewhere; here it is shown what one takes.
#[test]
fn one_rollback_brings_back_the_one_before_and_takes_no_time() {
    let mut site = Site::new(ROWS);
    let honest = site.let_in("honest");
    let service = site.open();
    bring_in(&service, &honest, "honest");
    assert_eq!(active(&service), "honest");
    let right = ids(&ask(&service, &from(i64::MIN, 1, 10)).page.unwrap());
    let began = Instant::now();
    let swap = rollback(&service).unwrap();
    let whole = began.elapsed();
    println!(
        "rollback: {} µs until the next request has the other strategy, {whole:?} until it is on disk",
        swap.took_us
    );
    assert_eq!(active(&service), "keyset");
    assert_eq!(swap.why, "rollback");
    let answered = ask(&service, &from(i64::MIN, 1, 10));
    assert_eq!((&*answered.strategy, ids(&answered.page.unwrap())), ("keyset", right));
    // It was taken back for a reason: it comes again by its shadow only.
    assert_eq!(promote(&service, "honest").unwrap_err().code(), "not-ready");
    assert_eq!(rollback(&service).unwrap_err().code(), "not-ready");
    assert!(site.decided(&["swap keyset", "rolled back from honest"]), "{:?}", site.decisions());
    shut(&service);
}

/// Two orders at once are carried out one after the other, and the file says what the pointer does.
#[test]
fn swaps_that_come_at_once_are_made_one_after_another() {
    let mut site = Site::new(ROWS);
    let honest = site.let_in("honest");
    let service = site.open();
    bring_in(&service, &honest, "honest");
    let made = AtomicU64::new(0);
    let before = service.state().swaps;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (service, made) = (&service, &made);
            scope.spawn(move || {
                for round in 0..25 {
                    let name = if (thread + round) % 2 == 0 { "keyset" } else { "honest" };
                    match promote(service, name) {
                        Ok(_) => made.fetch_add(1, SeqCst),
                        Err(error) => {
                            assert_eq!(error.code(), "not-ready", "{error}");
                            0
                        }
                    };
                }
            });
        }
    });
    assert_eq!(service.state().swaps - before, made.load(SeqCst));
    let kept = std::fs::read_to_string(site.state().join("serving.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["active"]["name"], active(&service).as_str());
    shut(&service);
}

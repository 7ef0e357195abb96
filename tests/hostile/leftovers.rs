//! What one instance leaves behind is gone before the next one looks.

use keyhole_log::grants::Instances;
use keyhole_log::model::Pager;

use super::host;

/// Each round marks all of its memory and table, and traps if it finds a mark: of the same component, and
/// of another one that had the same slot of the pool.
#[test]
fn an_instance_finds_nothing_of_those_before_it() {
    let case = host::case("canary");
    let mut workers = [1, 2].map(|_| host::worker(case));
    let request = case.request();
    let mut found = 0;
    for round in 0..1_000 {
        for worker in &mut workers {
            // The machine may be too busy for a time limit; a mark is a trap.
            match worker.page(&request).map_err(|error| error.observed()) {
                Ok(page) => assert!(page.is_empty()),
                Err(observed) if observed == "guest-time" || observed.contains("log_lock") => {}
                Err(observed) => panic!("round {round}: {observed}"),
            }
            found += 1;
        }
    }
    assert_eq!(found, 2_000);
}

/// The search itself finds marks: an instance that is used twice meets its own.
#[test]
fn the_search_finds_what_is_there() {
    let case = host::case("canary");
    let mut worker = host::worker_under(case, case.grants(), Instances::Warm(10));
    let outcomes: Vec<Result<(), String>> =
        (0..5).map(|_| worker.page(&case.request()).map(drop).map_err(|error| error.observed())).collect();
    assert!(outcomes.contains(&Err("trapped".to_owned())), "{outcomes:?}");
}

/// A store that has trapped is in no known state: the next request has another one.
#[test]
fn a_store_is_never_used_again_after_a_trap() {
    let case = host::case("handle-of-other-call");
    let mut worker = host::worker(case);
    let mut made = Vec::new();
    for _ in 0..6 {
        let refused = match worker.page(&case.request()) {
            Ok(_) => false,
            Err(error) if error.observed() == "handle" => true,
            // A time limit retires the store as well, and is tried again.
            Err(_) => continue,
        };
        made.push((refused, worker.ledger().unwrap().phases.instantiate.is_zero()));
    }
    // Refused means a warm instance with a past; right means a new one.
    assert!(made.iter().all(|(refused, reused)| refused == reused), "{made:?}");
    assert!(made.contains(&(true, true)) && made.contains(&(false, false)), "{made:?}");
}

//! What becomes of a strategy that serves and fails: the last good one serves, or nothing does.

use std::time::Duration;

use keyhole_service::status::Stage;

use super::site::{Site, THE_ONE, active, ask, bring_in, from, ids, promote, prove, shut, staged, until};

#[test]
fn one_that_traps_beyond_the_breakers_number_is_taken_out_and_the_last_good_one_serves() {
    let mut site = Site::new(1_000);
    site.serve += "\nbreaker = { failures = 3, within = \"60s\" }";
    let traps = site.let_in("traps-in-one-window");
    let service = site.open();
    bring_in(&service, &traps, "traps-in-one-window");
    for failure in 1..=3 {
        assert_eq!(active(&service), "traps-in-one-window", "before failure {failure}");
        let answered = ask(&service, &from(THE_ONE, 1, 10));
        assert_eq!(answered.page.unwrap_err().code(), "trapped");
    }
    assert_eq!(active(&service), "keyset", "the third opens it");
    let answered = ask(&service, &from(THE_ONE, 1, 10));
    assert_eq!((&*answered.strategy, answered.page.unwrap().len()), ("keyset", 10));
    let swap = service.state().last_swap.unwrap();
    assert_eq!(swap.why, "breaker");
    println!("the breaker's swap took {} µs", swap.took_us);
    assert_eq!(promote(&service, "traps-in-one-window").unwrap_err().code(), "no-such-strategy");
    until("it is written down", || {
        site.decided(&["swap traps-in-one-window", "taken out by the breaker: last trapped"])
    });
    until("it is gone", || service.state().retiring.is_empty());
    shut(&service);
    // What was taken out does not come back with a restart.
    let service = site.open();
    assert_eq!(active(&service), "keyset");
    shut(&service);
}

#[test]
fn one_that_serves_a_wrong_page_is_taken_out_by_the_first_that_is_compared() {
    let mut site = Site::new(1_000);
    site.serve = "reference_share = 1.0".to_owned();
    let lies = site.let_in("lies-to-one-window");
    let service = site.open();
    bring_in(&service, &lies, "lies-to-one-window");
    until("something was compared", || {
        ask(&service, &from(i64::MIN, 1, 10)).page.unwrap();
        service.state().compared.equal > 3
    });
    assert_eq!(active(&service), "lies-to-one-window", "its right pages are held against nobody");
    let wrong = ask(&service, &from(THE_ONE, 2, 10)).page.unwrap();
    assert_eq!(wrong.len(), 10, "this page nobody can see through by itself");
    until("it is taken out", || active(&service) == "keyset");
    let compared = service.state().compared;
    let last = compared.last.unwrap();
    assert_eq!((compared.different, last.kind.as_str()), (1, "lie:next-page-instead"), "{last:?}");
    assert_eq!(last.smallest.unwrap()["from_ts"].as_i64().unwrap().rem_euclid(100_000), THE_ONE);
    until("it is written down", || site.decided(&["it served a wrong page (lie:next-page-instead)"]));
    shut(&service);
}

#[test]
fn with_nobody_to_follow_it_rests_and_is_tried_again() {
    let mut site = Site::new(1_000);
    site.serve += "\nactive = \"traps-in-one-window\"\nbreaker = { failures = 2, within = \"2s\" }";
    site.let_in("traps-in-one-window");
    let service = site.open();
    assert!(!service.state().ready, "nobody has proven it");
    until("it is proven while it serves", || service.state().ready);
    for _ in 0..2 {
        assert_eq!(ask(&service, &from(THE_ONE, 1, 10)).page.unwrap_err().code(), "trapped");
    }
    let error = service.submit(from(i64::MIN, 1, 10)).unwrap_err();
    assert_eq!(error.code(), "nothing-serves", "{error}");
    assert!(service.active().is_none() && !service.state().ready);
    until("it serves again", || service.active().is_some());
    assert_eq!(ask(&service, &from(i64::MIN, 1, 10)).page.unwrap().len(), 10);
    shut(&service);
}

/// Its limits are on time alone, and it is on a processor all the while: no machine is to blame.
#[test]
fn one_that_spins_is_taken_out_and_what_it_used_is_told() {
    for name in ["spin-in-page", "held-statement"] {
        let mut site = Site::new(1_000);
        site.serve += &format!("\nactive = \"{name}\"\nbreaker = {{ failures = 2, within = \"10m\" }}");
        site.guest_time = "100ms";
        site.let_in(name);
        let service = site.open();
        let mut counted = 0;
        for _ in 0..50 {
            if counted == 2 {
                break;
            }
            assert!(service.active().is_some(), "{name} after {counted}");
            let answered = ask(&service, &from(i64::MIN, 1, 10));
            let error = answered.page.unwrap_err();
            // A machine with dozens of others that spin has no time for this one.
            counted += u32::from(error.code() == "budget");
            assert!(["budget", "starved"].contains(&error.code()), "{name}: {error}");
            assert_eq!(error.blames_strategy(), error.code() == "budget", "{name}: {error}");
            assert!(answered.spent.elapsed >= Duration::from_millis(100), "{name}: {}", answered.spent);
        }
        assert_eq!(counted, 2, "{name}: no machine is starved fifty times");
        assert!(service.active().is_none(), "{name} is taken out");
        shut(&service);
    }
}

/// However large the payloads are that the log holds, it is not the strategy that reads too much.
#[test]
fn payloads_that_are_too_large_are_not_held_against_a_strategy() {
    let mut site = Site::new(200);
    site.serve += "\nbreaker = { failures = 1, within = \"10m\" }";
    site.limits = "payload_bytes = \"8KiB\"\n";
    let service = site.open();
    let all = ask(&service, &from(i64::MIN, 1, 200)).page.unwrap_err();
    assert_eq!((all.code(), all.hidden()), ("payload-too-large", None), "{all}");
    assert_eq!(active(&service), "keyset");
    let before = all.unshown().unwrap().before;
    assert_eq!(ask(&service, &from(i64::MIN, 1, before)).page.unwrap().len(), before as usize);
    shut(&service);
}

#[test]
fn where_nothing_serves_a_proof_is_enough() {
    let mut site = Site::new(1_000);
    site.serve += "\nactive = \"traps-in-one-window\"\nbreaker = { failures = 1, within = \"10m\" }";
    site.let_in("traps-in-one-window");
    let honest = site.let_in("honest");
    let service = site.open();
    ask(&service, &from(THE_ONE, 1, 10)).page.unwrap_err();
    assert!(service.active().is_none());
    assert_eq!(prove(&service, &honest, "honest").stage, Stage::Proven);
    promote(&service, "honest").unwrap();
    assert_eq!(ask(&service, &from(THE_ONE, 1, 10)).page.unwrap().len(), 10);
    shut(&service);
}

#[test]
fn revoking_the_active_one_brings_back_the_last_good_one_and_never_the_revoked() {
    let mut site = Site::new(1_000);
    let honest = site.let_in("honest");
    let service = site.open();
    bring_in(&service, &honest, "honest");
    site.revoke("honest");
    let reloaded = service.reload(site.policy()).unwrap();
    assert_eq!(reloaded.revoked.len(), 1, "{reloaded:?}");
    assert_eq!(active(&service), "keyset");
    assert_eq!(&*ask(&service, &from(i64::MIN, 1, 10)).strategy, "keyset");
    assert_eq!(promote(&service, "honest").unwrap_err().code(), "no-such-strategy");
    assert!(site.decided(&["swap honest", "revoked by the policy"]), "{:?}", site.decisions());
    shut(&service);
    let service = site.open();
    assert_eq!(active(&service), "keyset", "nor after a restart");
    shut(&service);
}

/// Its request is under way, and spins for ever: it is answered by nobody, at the end of its budget.
#[test]
fn a_revoked_one_with_nobody_to_follow_serves_nothing_and_its_endless_request_ends_by_its_budget() {
    let mut site = Site::new(1_000);
    site.serve += "\nactive = \"spin-in-page\"";
    site.guest_time = "1s";
    site.let_in("spin-in-page");
    let service = site.open();
    let pending = service.submit(from(i64::MIN, 1, 10)).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    site.revoke("spin-in-page");
    site.serve = String::new();
    service.reload(site.policy()).unwrap();
    assert_eq!(service.submit(from(i64::MIN, 1, 10)).unwrap_err().code(), "nothing-serves");
    assert_eq!(pending.wait().page.unwrap_err().code(), "nothing-serves");
    until("it has drained", || service.state().retiring.is_empty());
    assert_eq!(service.state().troubles[0].code, "nothing-serves");
    shut(&service);
}

#[test]
fn a_policy_that_cannot_be_put_in_force_changes_nothing() {
    let mut site = Site::new(1_000);
    let honest = site.let_in("honest");
    let service = site.open();
    bring_in(&service, &honest, "honest");
    let before = service.state().policy;
    // The reference is a component that cannot be linked; and the active one would be revoked.
    site.revoke("honest");
    site.let_in_as("broken", b"\0asm\x0d\0\x01\0", &["id"]);
    site.serve = "reference = \"broken\"".to_owned();
    let error = service.reload(site.policy()).unwrap_err();
    assert!(error.blames_strategy(), "{error}");
    assert_eq!((active(&service).as_str(), service.state().policy), ("honest", before));
    assert_eq!(ids(&ask(&service, &from(i64::MIN, 1, 5)).page.unwrap()).len(), 5);
    shut(&service);
}

#[test]
fn other_grants_go_to_the_strategy_that_serves_without_a_request_that_fails() {
    let mut site = Site::new(1_000);
    let honest = site.let_in("honest");
    let service = site.open();
    bring_in(&service, &honest, "honest");
    let digest = service.active().unwrap().1;
    site.guest_time = "4s";
    site.let_in("honest");
    let reloaded = service.reload(site.policy()).unwrap();
    assert_eq!(reloaded.regranted.len(), 1, "{reloaded:?}");
    assert_eq!(service.active().unwrap().1, digest);
    assert_eq!(ask(&service, &from(i64::MIN, 1, 5)).page.unwrap().len(), 5);
    let state = service.state();
    assert!(state.ready && state.good[0].name == "keyset", "{state:?}");
    assert!(staged(&service, "honest").is_none());
    shut(&service);
}

//! A strategy's way to the service, and where the way of one that is not right ends.

use keyhole_service::orders::Order;
use keyhole_service::status::Stage;

use super::site::{
    Site, THE_ONE, active, ask, bring_in, from, ids, make_ready, promote, prove, shadow, shut, stage, staged,
    until,
};
use crate::support::guest;

#[test]
fn an_honest_strategy_is_staged_proven_shadowed_and_promoted_and_each_step_is_recorded() {
    let mut site = Site::new(1_000);
    let fast = site.let_in_keyset("fast");
    let service = site.open();
    assert_eq!(active(&service), "keyset");
    assert_eq!(promote(&service, "fast").unwrap_err().code(), "no-such-strategy");
    let proven = prove(&service, &fast, "fast");
    assert_eq!((proven.stage, proven.by.as_str()), (Stage::Proven, "ada"), "{proven:?}");
    assert!(proven.proven_pages > 3_000, "{proven:?}");
    let error = promote(&service, "fast").unwrap_err();
    assert!(error.code() == "not-ready" && error.to_string().contains("shadow"), "{error}");
    make_ready(&service, "fast");
    let run = staged(&service, "fast").unwrap().shadow.unwrap();
    assert!(run.compared >= 20 && run.non_empty >= 20, "{run:?}");
    promote(&service, "fast").unwrap();
    let answered = ask(&service, &from(i64::MIN, 1, 10));
    assert_eq!((&*answered.strategy, answered.page.unwrap().len()), ("fast", 10));
    let state = service.state();
    assert!(state.ready && state.staged.is_empty(), "{state:?}");
    assert_eq!(state.good[0].name, "keyset");
    assert!(state.active.unwrap().proven);
    for words in [
        &["swap keyset", "the service starts"][..],
        &["load fast", "staged"],
        &["verdict fast", "proven", "pages equal"],
        &["stage fast", "in shadow"],
        &["verdict fast", "shadow", "equal"],
        &["swap fast", "promoted over keyset"],
    ] {
        assert!(site.decided(words), "{words:?} of {:#?}", site.decisions());
    }
    shut(&service);
    assert!(site.decided(&["the service ended"]));
}

/// The proof cannot see it: one window in 100,000. The shadow does when a client asks for it.
#[test]
fn one_that_differs_on_one_page_in_many_is_stopped_in_shadow_with_the_smallest_request() {
    let mut site = Site::new(1_000);
    let lies = site.let_in("lies-to-one-window");
    let service = site.open();
    let proven = prove(&service, &lies, "lies-to-one-window");
    assert_eq!(proven.stage, Stage::Proven, "{proven:?}");
    shadow(&service, "lies-to-one-window", 100_000).unwrap();
    let mut asked = 0;
    until("a difference", || {
        asked += 1;
        let second = if asked % 50 == 0 { THE_ONE } else { asked };
        let answered = ask(&service, &from(second, 3, 20));
        assert_eq!(&*answered.strategy, "keyset");
        answered.page.unwrap();
        staged(&service, "lies-to-one-window").unwrap().stage == Stage::Failed
    });
    let failed = staged(&service, "lies-to-one-window").unwrap();
    let failure = failed.failure.unwrap();
    assert_eq!(
        (failure.stage, failure.kind.as_str()),
        (Stage::Shadow, "lie:next-page-instead"),
        "{failure:?}"
    );
    let smallest = failure.smallest.unwrap();
    assert_eq!(smallest["from_ts"].as_i64().unwrap().rem_euclid(100_000), THE_ONE, "{smallest}");
    assert_eq!((smallest["page"].as_u64(), smallest["page_size"].as_u64()), (Some(1), Some(1)), "{smallest}");
    assert!(failure.repeat.unwrap().contains("keyhole verify lies-to-one-window"));
    let error = promote(&service, "lies-to-one-window").unwrap_err();
    assert!(error.to_string().contains("failed"), "{error}");
    assert_eq!(active(&service), "keyset");
    assert!(site.decided(&["verdict lies-to-one-window", "lie:next-page-instead"]));
    shut(&service);
}

#[test]
fn one_that_traps_on_a_live_request_is_never_promoted() {
    let mut site = Site::new(1_000);
    let traps = site.let_in("traps-in-one-window");
    let service = site.open();
    assert_eq!(prove(&service, &traps, "traps-in-one-window").stage, Stage::Proven);
    shadow(&service, "traps-in-one-window", 1_000).unwrap();
    until("a trap", || {
        ask(&service, &from(THE_ONE, 1, 10)).page.unwrap();
        staged(&service, "traps-in-one-window").unwrap().stage == Stage::Failed
    });
    let failure = staged(&service, "traps-in-one-window").unwrap().failure.unwrap();
    assert_eq!(failure.kind, "trapped", "{failure:?}");
    assert_eq!(promote(&service, "traps-in-one-window").unwrap_err().code(), "not-ready");
    shut(&service);
}

#[test]
fn one_that_lies_or_traps_in_its_proof_gets_no_further() {
    let mut site = Site::new(1_000);
    for name in ["early-end", "crash-then-answer", "trap-in-mid-page"] {
        site.let_in(name);
    }
    let service = site.open();
    for (name, kind) in
        [("early-end", "lie:early-end"), ("crash-then-answer", "trapped"), ("trap-in-mid-page", "trapped")]
    {
        let failed = prove(&service, &site.place.path(&format!("{name}.wasm")), name);
        let failure = failed.failure.unwrap();
        assert_eq!((failed.stage, failure.kind.as_str()), (Stage::Failed, kind), "{failure:?}");
        assert!(failure.smallest.is_some(), "{failure:?}");
        assert_eq!(shadow(&service, name, 10).unwrap_err().code(), "not-ready");
        assert_eq!(promote(&service, name).unwrap_err().code(), "not-ready");
    }
    shut(&service);
}

#[test]
fn what_the_policy_does_not_name_is_not_staged_and_that_is_recorded() {
    let mut site = Site::new(1_000);
    site.let_in("honest");
    let service = site.open();
    let stranger = guest("too-many-rows");
    let error = stage(&service, &stranger, "too-many-rows").unwrap_err();
    assert!(error.code() == "not-granted" && error.lines().is_some(), "{error}");
    // Other bytes under a name that it knows.
    let error = stage(&service, &stranger, "honest").unwrap_err();
    assert_eq!(error.code(), "digest-mismatch", "{error}");
    let relative = std::path::Path::new("./honest.wasm");
    assert_eq!(stage(&service, relative, "honest").unwrap_err().code(), "bad-request");
    assert!(service.state().staged.is_empty());
    assert!(site.decided(&["refuse honest", "sha256:"]), "{:?}", site.decisions());
    shut(&service);
}

/// What was seen of one staging says nothing of the next, though the name is the same.
#[test]
fn a_proof_counts_for_the_staging_that_it_was_made_of_alone() {
    let mut site = Site::new(1_000);
    let honest = site.let_in("honest");
    let service = site.open();
    let first = prove(&service, &honest, "honest");
    make_ready(&service, "honest");
    let second = stage(&service, &honest, "honest").unwrap();
    assert!(second.revision > first.revision && second.stage == Stage::Checked, "{second:?}");
    assert_eq!(promote(&service, "honest").unwrap_err().code(), "not-ready");
    let stale = Order::Promote { name: "honest".to_owned(), revision: Some(first.revision), by: None };
    let error = service.carry_out(stale).unwrap_err();
    assert!(error.to_string().contains("staged again"), "{error}");
    until("the second proof", || staged(&service, "honest").unwrap().stage == Stage::Proven);
    assert_eq!(active(&service), "keyset");
    shut(&service);
}

/// It never answers: its proof is stopped in the middle of a page, and nobody waits for it.
#[test]
fn a_candidate_that_never_answers_is_let_go_at_once() {
    let mut site = Site::new(1_000);
    site.guest_time = "60s";
    let spins = site.let_in("spin-in-page");
    let service = site.open();
    stage(&service, &spins, "spin-in-page").unwrap();
    until("it spins", || staged(&service, "spin-in-page").unwrap().stage == Stage::Indexed);
    let began = std::time::Instant::now();
    service.carry_out(Order::Drain { name: "spin-in-page".to_owned(), by: None }).unwrap();
    assert!(service.state().staged.is_empty());
    // The lab is free for the next one.
    let honest = {
        let path = site.let_in("honest");
        service.reload(site.policy()).unwrap();
        path
    };
    assert_eq!(prove(&service, &honest, "honest").stage, Stage::Proven);
    println!("let go, and another proven, {:?} later", began.elapsed());
    assert_eq!(
        service.carry_out(Order::Drain { name: "keyset".to_owned(), by: None }).unwrap_err().code(),
        "not-ready"
    );
    shut(&service);
}

#[test]
fn a_drained_strategy_is_no_longer_one_to_fall_back_to() {
    let mut site = Site::new(1_000);
    let honest = site.let_in("honest");
    let service = site.open();
    bring_in(&service, &honest, "honest");
    service.carry_out(Order::Drain { name: "keyset".to_owned(), by: None }).unwrap();
    assert_eq!(promote(&service, "keyset").unwrap_err().code(), "no-such-strategy");
    assert!(service.state().good.is_empty());
    assert_eq!(ids(&ask(&service, &from(i64::MIN, 1, 5)).page.unwrap()).len(), 5);
    shut(&service);
}

/// Each of its pages takes the whole time that it may, so the proof would take an hour.
#[test]
fn a_proof_that_is_not_over_in_time_fails_by_that_name() {
    let mut site = Site::new(1_000);
    site.serve += "\nproof_time = \"1s\"";
    site.guest_time = "2s";
    let spins = site.let_in("spin-in-page");
    let service = site.open();
    let failed = prove(&service, &spins, "spin-in-page");
    let failure = failed.failure.unwrap();
    assert_eq!((failed.stage, failure.kind.as_str()), (Stage::Failed, "proof-time"), "{failure:?}");
    assert!(failure.message.contains("serve.proof_time"), "{failure:?}");
    assert_eq!(promote(&service, "spin-in-page").unwrap_err().code(), "not-ready");
    assert!(site.decided(&["verdict spin-in-page", "not proven: proof-time"]), "{:?}", site.decisions());
    shut(&service);
}

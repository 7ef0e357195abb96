use serde_json::{Value, json};

use super::*;

/// The audit of an honest strategy that pages by key.
fn audit() -> Value {
    serde_json::from_str(include_str!("../../../../tests/data/audit.json")).unwrap()
}

/// Compares the honest audit with one where the value at this place is another.
fn after(place: &str, value: Value) -> Diff {
    between(&[], &[(place, value)])
}

fn between(old: &[(&str, Value)], new: &[(&str, Value)]) -> Diff {
    let changed = |changes: &[(&str, Value)]| -> Audit {
        let mut audit = audit();
        for (place, value) in changes {
            *audit.pointer_mut(place).unwrap() = value.clone();
        }
        serde_json::from_value(audit).unwrap()
    };
    run(&changed(old), &changed(new))
}

fn says(diff: &Diff, kind: Kind, words: &str) -> bool {
    diff.changes.iter().any(|change| change.kind == kind && change.what.contains(words))
}

#[test]
fn the_same_audit_twice_changes_nothing() {
    let diff = between(&[], &[]);
    assert!(diff.acceptable && diff.same_component && !diff.widens && !diff.dearer, "{diff:?}");
    assert_eq!(diff.answers, Answers::Same);
    assert!(diff.changes.is_empty(), "{:?}", diff.changes);
}

#[test]
fn reaching_for_more_widens_and_is_named() {
    for (place, value, words) in [
        (
            "/may/imported",
            json!(["keyhole:strategy/log@0.1.0", "wasi:cli/exit@0.2.3"]),
            "imports wasi:cli/exit",
        ),
        ("/may/interfaces", json!(["log", "payloads"]), "interface payloads"),
        ("/may/columns", json!(["id", "created_at", "actor_id"]), "granted the column actor_id"),
        ("/may/functions", json!(["max", "hex"]), "granted the function hex"),
        ("/may/virtual_tables", json!(["fts5"]), "virtual table fts5"),
        ("/may/wasi", json!(["wasi:cli/environment"]), "granted wasi:cli/environment"),
        ("/may/scratch_quota", json!(2_000_000), "scratch_quota is 2000000, before 1000000"),
        ("/may/instances", json!("warm:100"), "warm:100, before fresh"),
        ("/limits/rows", json!(2001), "rows is 2001, before 2000"),
        ("/used/interfaces", json!(["log", "scratch"]), "uses the interface scratch"),
        ("/used/columns", json!(["id", "created_at"]), "reads the column created_at"),
        ("/used/tables", json!(["audit_events", "sqlite_schema"]), "table sqlite_schema"),
        ("/used/functions", json!(["max", "min"]), "calls the function min"),
        (
            "/used/calls",
            json!({"log.select": {"count": 1, "us": 1.0}, "payloads.read": {"count": 1, "us": 1.0}}),
            "payloads.read",
        ),
        (
            "/used/denials",
            json!([{"rule": "pragma", "object": "user_version", "count": 3}]),
            "was denied user_version",
        ),
        ("/strategy/signature", json!("none"), "vouched for by nobody, before by the key vendor"),
        ("/strategy/signature", json!({"key": "other"}), "the key other"),
    ] {
        let wider = after(place, value.clone());
        assert!(wider.widens && !wider.acceptable, "{place}");
        assert!(says(&wider, Kind::Widened, words), "{place}: {:?}", wider.changes);
        // The other way round it is narrower, but for a change of keys.
        if !place.contains("signature") {
            let narrower = between(&[(place, value)], &[]);
            assert!(!narrower.widens && narrower.acceptable, "{place}: {:?}", narrower.changes);
            assert!(narrower.changes.iter().any(|change| change.kind == Kind::Narrowed), "{place}");
        }
    }
}

#[test]
fn other_answers_are_not_acceptable() {
    for (place, value, words) in [
        ("/correctness/equal", json!(false), "does not equal the reference"),
        ("/determinism/same_across_processes", json!(false), "in another process"),
        ("/determinism/same_in_used_slot", json!(false), "pool slot"),
        ("/determinism/same_after_refill", json!(false), "filled anew"),
        ("/determinism/same_when_warm", json!(false), "warm instance"),
        ("/cost/1/failed", json!("sql-budget (sql_steps)"), "page 1000 of all on the whole log fails"),
    ] {
        let diff = after(place, value);
        assert!(diff.answers == Answers::Different && !diff.acceptable && !diff.widens, "{place}");
        assert!(says(&diff, Kind::Differs, words), "{place}: {:?}", diff.changes);
    }
}

#[test]
fn it_is_judged_better_worse_or_the_same_and_only_what_is_worse_counts_against_it() {
    assert_eq!(between(&[], &[]).judgement, Judgement::Same);
    let wrong = ("/correctness/equal", json!(false));
    let mended = between(std::slice::from_ref(&wrong), &[]);
    assert_eq!(
        (mended.answers, mended.judgement, mended.acceptable),
        (Answers::Different, Judgement::Better, true)
    );
    assert!(says(&mended, Kind::Mended, "equals the reference, which the old one did not"));
    assert_eq!(mended.new_answers.right, Some(true));
    let as_wrong = between(std::slice::from_ref(&wrong), std::slice::from_ref(&wrong));
    assert_eq!((as_wrong.judgement, as_wrong.acceptable), (Judgement::Same, false));
    assert!(says(&as_wrong, Kind::Changed, "still does not equal"), "{:?}", as_wrong.changes);
    let broken = between(&[], &[wrong]);
    assert_eq!((broken.judgement, broken.new_answers.right), (Judgement::Worse, Some(false)));
    for (place, value, judged, back) in [
        ("/may/interfaces", json!(["log", "payloads"]), Judgement::Worse, Judgement::Better),
        ("/cost/1/vm_steps", json!(1200), Judgement::Worse, Judgement::Better),
        ("/verdict", json!("unfit"), Judgement::Worse, Judgement::Better),
        ("/cost/1/failed", json!("budget (sql_steps)"), Judgement::Worse, Judgement::Better),
        ("/correctness", Value::Null, Judgement::Unknown, Judgement::Unknown),
    ] {
        assert_eq!(after(place, value.clone()).judgement, judged, "{place}");
        assert_eq!(between(&[(place, value)], &[]).judgement, back, "{place}");
    }
}

#[test]
fn answers_that_nobody_compared_are_not_called_the_same() {
    for (place, value) in [
        ("/correctness", Value::Null),
        ("/reference", json!("native-keyset")),
        ("/correctness/non_empty", json!(0)),
    ] {
        let diff = after(place, value.clone());
        assert!(diff.answers == Answers::Unknown && !diff.acceptable, "{place}");
        let diff = between(&[(place, value)], &[]);
        assert!(diff.answers == Answers::Unknown && !diff.acceptable, "{place}");
    }
}

#[test]
fn an_unfit_one_is_not_acceptable_whatever_it_was_before() {
    let diff = after("/verdict", json!("unfit"));
    assert!(!diff.acceptable && diff.is_unfit);
    assert!(between(&[("/verdict", json!("unfit"))], &[]).acceptable);
}

#[test]
fn cost_is_judged_by_what_is_exact_and_not_by_time() {
    for (place, value) in [
        ("/cost/1/vm_steps", json!(1200)),
        ("/cost/1/fuel", json!(120_000)),
        ("/used/most/memory", json!(1 << 20)),
        ("/used/most/payload_reads", json!(50)),
        ("/used/statements/0/full_scan_steps", json!(3)),
    ] {
        let diff = after(place, value.clone());
        assert!(diff.dearer && diff.acceptable, "{place}: {:?}", diff.changes);
        assert!(!between(&[(place, value)], &[]).dearer, "{place}");
    }
    assert!(!after("/cost/1/us", json!(9e9)).dearer);
    assert!(!after("/cost/1/vm_steps", json!(950)).dearer, "within a tenth");
    assert!(!after("/cost/1/events", json!(60_000)).dearer, "another log is not held against it");
    let costs = after("/cost/1/vm_steps", json!(1200)).costs;
    assert_eq!((costs.len(), costs[1].vm_steps, costs[1].kind), (2, [900, 1200], Some(Kind::Dearer)));
}

#[test]
fn statements_and_plans_are_compared_by_text() {
    let plan = after("/used/statements/0/plan", json!(["SCAN audit_events"]));
    assert!(
        says(&plan, Kind::Changed, "the plan is [SCAN audit_events], before [SEARCH"),
        "{:?}",
        plan.changes
    );
    let text = after("/used/statements/0/sql", json!("SELECT id FROM audit_events LIMIT 1"));
    assert!(says(&text, Kind::Changed, "new: SELECT id FROM audit_events LIMIT 1"), "{:?}", text.changes);
    assert!(says(&text, Kind::Changed, "gone: SELECT id FROM audit_events"), "{:?}", text.changes);
    assert!(text.acceptable, "another text alone is no reason");
}

#[test]
fn findings_come_and_go() {
    let found = json!([{"code": "full-scan", "severity": "medium", "what": "12 of them", "fix": "an index"}]);
    let diff = after("/findings", found.clone());
    assert!(says(&diff, Kind::Changed, "new, medium: full-scan: 12 of them"), "{:?}", diff.changes);
    assert!(says(&between(&[("/findings", found)], &[]), Kind::Changed, "gone: full-scan"));
}

#[test]
fn what_cannot_be_told_is_said() {
    let diff = between(&[], &[("/log/events", json!(7)), ("/host/sqlite", json!("3.51.0"))]);
    for words in ["different logs", "sqlite was 3.50.0 and is 3.51.0", "what happens on other days"] {
        assert!(diff.limitations.iter().any(|text| text.contains(words)), "{words}: {:?}", diff.limitations);
    }
}

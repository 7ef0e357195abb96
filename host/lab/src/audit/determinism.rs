//! Whether a strategy is deterministic, from the answers of several child runs.

use super::child_run::{Answer, ChildRuns, Pass};
use super::facts::Determinism;

/// Compares what the child runs answered.
pub(super) fn determinism(runs: &ChildRuns) -> Determinism {
    let mut first = None;
    let mut same = |answers: &[Answer], pass: Pass, what: &str, compare: fn(&Answer, &Answer) -> bool| {
        let fresh = |request: usize| {
            runs.first.iter().find(|answer| answer.pass == Pass::Fresh && answer.request == request)
        };
        let mut answers = answers.iter().filter(|answer| answer.pass == pass);
        let found =
            answers.find(|answer| fresh(answer.request).is_some_and(|before| !compare(before, answer)));
        if let (Some(answer), true) = (found, first.is_none()) {
            let before = fresh(answer.request);
            let shown = |answer: &Answer| match &answer.failed {
                Some(failed) => failed.clone(),
                None => format!("{} events, fuel {}", answer.count, answer.fuel.unwrap_or(0)),
            };
            first = Some(format!(
                "request {}: {} at first, {} {what}",
                answer.request + 1,
                before.map_or_else(String::new, shown),
                shown(answer)
            ));
        }
        found.is_none()
    };
    let other = "in another process";
    let same_across_processes = same(&runs.other, Pass::Fresh, other, same_bytes);
    let same_fuel_across_processes = same(&runs.other, Pass::Fresh, other, same_fuel);
    let slot = "in a pool slot that was used before";
    let same_in_used_slot =
        same(&runs.first, Pass::Again, slot, |one, two| same_bytes(one, two) && same_fuel(one, two));
    let same_after_refill = runs
        .refilled
        .as_ref()
        .map(|answers| same(answers, Pass::Fresh, "after scratch was filled anew", same_bytes));
    let same_when_warm = same(&runs.first, Pass::Warm, "in a warm instance", same_bytes);
    Determinism {
        requests: runs.first.iter().filter(|answer| answer.pass == Pass::Fresh).count() as u64,
        same_across_processes,
        same_fuel_across_processes,
        same_in_used_slot,
        same_after_refill,
        same_when_warm,
        first,
    }
}

/// A limit of time strikes here and not there: such failures say nothing.
fn same_bytes(one: &Answer, other: &Answer) -> bool {
    let by_time = |answer: &Answer| {
        answer.failed.as_ref().is_some_and(|failed| {
            ["guest-time", "wall-time", "log-lock", "log_lock"].iter().any(|limit| failed.contains(limit))
        })
    };
    by_time(one) || by_time(other) || (&one.digest, &one.failed) == (&other.digest, &other.failed)
}

/// On another snapshot, or with another tail, a strategy rightly does other work.
fn same_fuel(one: &Answer, other: &Answer) -> bool {
    let comparable = one.snapshot == other.snapshot && one.failed.is_none() && other.failed.is_none();
    !comparable || one.fuel == other.fuel
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(pass: Pass, request: usize, digest: &str, fuel: u64) -> Answer {
        Answer {
            pass,
            request,
            digest: digest.to_owned(),
            count: 1,
            bytes: 10,
            fuel: Some(fuel),
            vm_steps: 1,
            snapshot: (10, None),
            failed: None,
        }
    }

    fn judge(first: &[Answer], other: &[Answer]) -> Determinism {
        let (first, other) = (first.to_vec(), other.to_vec());
        determinism(&ChildRuns { first, refilled: Some(other.clone()), other, half: Vec::new() })
    }

    #[test]
    fn each_circumstance_is_told_apart() {
        let fresh = || answer(Pass::Fresh, 0, "a", 5);
        let same =
            judge(&[fresh(), answer(Pass::Again, 0, "a", 5), answer(Pass::Warm, 0, "a", 3)], &[fresh()]);
        assert!(same.same_across_processes && same.same_fuel_across_processes && same.same_in_used_slot);
        assert!(same.same_when_warm && same.same_after_refill == Some(true) && same.first.is_none());

        let bytes = judge(&[fresh()], &[answer(Pass::Fresh, 0, "b", 5)]);
        assert!(!bytes.same_across_processes && bytes.same_fuel_across_processes);
        assert_eq!(bytes.same_after_refill, Some(false));
        assert!(bytes.first.is_some_and(|words| words.contains("in another process")));

        let fuel = judge(&[fresh()], &[answer(Pass::Fresh, 0, "a", 6)]);
        assert!(fuel.same_across_processes && !fuel.same_fuel_across_processes);

        let slot = judge(&[fresh(), answer(Pass::Again, 0, "a", 6)], &[fresh()]);
        assert!(!slot.same_in_used_slot && slot.same_across_processes);

        let warm = judge(&[fresh(), answer(Pass::Warm, 0, "b", 5)], &[fresh()]);
        assert!(!warm.same_when_warm && warm.same_in_used_slot);
    }

    #[test]
    fn other_fuel_on_another_snapshot_is_no_difference() {
        let grown = Answer { snapshot: (11, None), ..answer(Pass::Fresh, 0, "a", 6) };
        assert!(judge(&[answer(Pass::Fresh, 0, "a", 5)], &[grown]).same_fuel_across_processes);
    }

    #[test]
    fn a_time_limit_that_strikes_once_is_no_difference() {
        let late = Answer {
            failed: Some("guest-time".to_owned()),
            digest: String::new(),
            ..answer(Pass::Fresh, 0, "a", 6)
        };
        assert!(judge(&[answer(Pass::Fresh, 0, "a", 5)], &[late]).same_across_processes);
    }
}

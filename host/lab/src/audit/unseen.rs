//! What an audit cannot tell, said in every one of them.

use super::facts::{Audit, Correctness, LogFacts};
use crate::report::grouped;

/// The sentences, with this audit's own numbers.
pub(super) fn unseen(audit: &Audit) -> Vec<String> {
    let Some(correctness) = &audit.correctness else {
        return vec!["anything about what it does: it was not let in, and nothing of it ran".to_owned()];
    };
    vec![bound(correctness), triggers(audit, correctness), log(&audit.log), times(), engine()]
}

fn bound(correctness: &Correctness) -> String {
    match correctness.bound {
        Some(bound) => format!(
            "pages that were not asked for: 0 differences in {} pages that held events means that under 3/{} = {:.2} % \
             of pages drawn alike differ, at 95 %",
            correctness.non_empty,
            correctness.non_empty,
            bound * 100.0
        ),
        None if correctness.equal => "pages at all: too few held events to bound anything".to_owned(),
        None => "how many pages differ: each stream ended at its first difference".to_owned(),
    }
}

fn triggers(audit: &Audit, correctness: &Correctness) -> String {
    let warm = if audit.may.instances == "fresh" {
        "in fresh instances, which it is granted, it keeps no count and no memory of its own"
    } else {
        "warm instances can count calls: a lie on a later call than this audit made stays hidden"
    };
    format!(
        "what it waits for: a call beyond the {} asked, a high-water above {}, a date, an actor, an action, a page \
         size or an order of requests that was not drawn ({warm}); the comparison of a share of live pages looks \
         for those",
        grouped(correctness.pages),
        audit.log.high_water
    )
}

fn log(log: &LogFacts) -> String {
    format!(
        "other logs: this one holds {} events, their times from {} to {}",
        grouped(log.events),
        date(log.oldest),
        date(log.newest)
    )
}

/// The day of a time in Unix seconds, where a calendar has it.
fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |time| time.strftime("%Y-%m-%d").to_string())
}

fn times() -> String {
    "how long pages take under load: times here are of an idle worker, fuel and steps are exact".to_owned()
}

fn engine() -> String {
    "faults of the engine, of SQLite and of this program themselves: `keyhole selftest` tries each limit"
        .to_owned()
}

//! Strategies that are right for a while, or right and costly. No limit stops them: a comparison, the
//! page's own checks or the audit's measurements tell, some only once it has happened.

use std::time::Duration;

use super::{Ask, Between, Case, Group, Seen};
use crate::limits::Limits;
use crate::strategy::Instances;

const fn compared(name: &'static str, what: &'static str) -> Case {
    Case::new(Group::Behaviour, name, what, Seen::Compared, &["lie:early-end"])
}

const fn costly(name: &'static str, what: &'static str) -> Case {
    Case::new(Group::Behaviour, name, what, Seen::Harmless, &[])
}

/// What `counts-calls` counts to.
const CALLS: u32 = 100_000;

/// One late request of so many would start a new instance, and its count from nothing.
fn unhurried(limits: &mut Limits) {
    (limits.guest_time, limits.log_lock, limits.wall_time) = (SECONDS, SECONDS, SECONDS);
}

const SECONDS: Duration = Duration::from_secs(10);

pub(super) const CASES: &[Case] = &[
    compared("remembers-requests", "The same question again is answered an event short.").warm(2),
    compared("wakes-at-high-water", "Wrong once the log is larger than when it was proven.")
        .after(Between::LogGrows),
    compared("detects-audit", "Right for the page sizes of a proof only.")
        .asking(Ask { page_size: 25, ..Ask::NEWEST }),
    Case::new(
        Group::Behaviour,
        "lies-to-one-window",
        "Wrong for one window in 100,000 only.",
        Seen::Compared,
        &["lie:next-page-instead"],
    )
    .asking(Ask { from: Some(77_777), page: 2, ..Ask::NEWEST }),
    Case::new(
        Group::Behaviour,
        "traps-in-one-window",
        "Traps in one window in 100,000 only.",
        Seen::Refused,
        &["trapped"],
    )
    .asking(Ask { from: Some(77_777), ..Ask::NEWEST }),
    compared("non-deterministic", "Every second answer of an instance is an event short.").warm(2),
    Case {
        times: CALLS,
        instances: Instances::Warm(CALLS),
        limits: Some(unhurried),
        ..Case::new(
            Group::Behaviour,
            "counts-calls",
            "Lies on its 100,000th call and never before.",
            Seen::Refused,
            &["lie:dropped-event"],
        )
    },
    Case::new(
        Group::Behaviour,
        "crash-then-answer",
        "Traps on every odd page and answers every even one.",
        Seen::Refused,
        &["trapped"],
    ),
    costly("slow-when-deep", "Walks the log again for every hundred pages before its own."),
    costly("slow-when-large", "Reads the whole log for every page."),
    costly("reads-everything", "Reads hundreds of payloads for each page."),
    costly("asks-for-more-than-it-uses", "Imports scratch, and pages without it."),
];

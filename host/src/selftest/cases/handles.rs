//! Attacks on the handles of events.

use super::{Case, Group, Seen};

const fn refused(name: &'static str, what: &'static str, expected: &'static [&'static str]) -> Case {
    Case::new(Group::Handles, name, what, Seen::Refused, expected)
}

pub(super) const CASES: &[Case] = &[refused(
    "handle-of-other-call",
    "A handle of an earlier request, kept in a warm instance.",
    &["handle"],
)
.warm(2)];

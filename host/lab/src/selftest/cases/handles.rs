//! Attacks on the handles of events.

use super::{Case, Group, Seen};

const fn refused(name: &'static str, what: &'static str, expected: &'static [&'static str]) -> Case {
    Case::new(Group::Handles, name, what, Seen::Refused, expected)
}

/// What is observed of a handle that is not one.
const HANDLE: &[&str] = &["handle"];

pub(super) const CASES: &[Case] = &[
    refused("handle-twice", "One handle, returned twice.", HANDLE),
    refused("handle-after-drop", "A handle that was dropped.", HANDLE),
    refused("handle-of-other-call", "A handle of an earlier request, kept in a warm instance.", HANDLE)
        .warm(2),
    refused("handle-of-other-store", "Numbers that are handles where more of them are held.", HANDLE),
    refused("forged-index", "Numbers that were never handles.", HANDLE),
    refused(
        "borrow-escapes",
        "An inner component keeps what it was lent.",
        // It does not come to that: a component may not call one that lies in it, or is not let in at all.
        &["handle", "trapped", "load-refused"],
    ),
    refused("double-drop", "A handle, dropped twice.", HANDLE),
];

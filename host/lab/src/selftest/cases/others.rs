//! What the attacks are compared with, and faults that are no attack.

use super::{Case, Group, Seen};

pub(super) const CASES: &[Case] = &[
    Case::new(Group::Other, "honest", "The right page.", Seen::Harmless, &[]),
    Case::new(
        Group::Other,
        "trap-in-mid-page",
        "A panic when half of the payloads are read.",
        Seen::Refused,
        &["trapped"],
    ),
    Case::new(
        Group::Other,
        "exports-nothing",
        "A component that is valid and empty.",
        Seen::Refused,
        &["load-refused"],
    ),
];

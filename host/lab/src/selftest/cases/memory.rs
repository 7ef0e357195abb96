//! Attacks on memory, tables, stacks, and on the bytes that cross into the host.

use super::{Ask, Case, Group, Seen};

const fn refused(name: &'static str, what: &'static str, expected: &'static [&'static str]) -> Case {
    Case::new(Group::Memory, name, what, Seen::Refused, expected)
}

pub(super) const CASES: &[Case] = &[
    Case::new(
        Group::Memory,
        "grow-until-refused",
        "Takes memory until there is no more, lets go of it, and answers honestly.",
        Seen::Denied,
        &["memory"],
    ),
    Case::new(
        Group::Memory,
        "canary",
        "Looks for what other instances left in memory and tables, and marks its own.",
        Seen::Harmless,
        &[],
    )
    // A window without events: its right page is empty.
    .asking(Ask { from: Some(2_000_000_000), ..Ask::NEWEST }),
    refused("grow-in-start", "Takes all memory there is in the start function.", &["memory"]),
    refused("many-memories", "Two memories that are too large together.", &["memory"]),
    refused("many-tables", "Three tables that are too large together.", &["table"]),
    refused("many-core-instances", "A hundred instances of an empty core module.", &["instances"]),
    refused("deep-recursion", "A function that calls itself without end.", &["stack"]),
    refused("mutual-recursion", "Two functions that call each other without end.", &["stack"]),
    refused(
        "recursion-through-host-call",
        "Calls the host where the host asks for room to put its answer.",
        // The component model forbids the first step already: there is no recursion to bound.
        &["trapped"],
    ),
    refused("handle-flood", "Handles for as long as the host gives any.", &["handles"]),
    refused("handle-never-dropped", "A warm instance that drops no handle.", &["handles"]).warm(6),
    refused("own-handle-flood", "Handles of a resource of its own, none dropped.", &["handles"]),
    refused("giant-list-claim", "A list of 2^32 - 1 events that is not there.", &["host-bytes"]),
    refused("giant-string", "A note of twenty megabytes.", &["host-bytes"]),
    refused("million-params", "A statement with a million parameters.", &["host-bytes"]),
    refused("long-sql-text", "A statement of half a megabyte.", &["sql-budget (sql_bytes)"]),
];

//! Strategies of the zoo under other terms than those of their case.

use std::path::Path;

use keyhole::limits::{Ceilings, Limits};
use keyhole::loader::examine::examine;
use keyhole::policy::{Grants, INERT};
use keyhole::selftest::cases::{Ask, Case};

use super::{Attack, session, told};
use crate::wasm::{number, section, sections, with_section};
use crate::zoo::Stranger;

pub(super) const ATTACKS: &[(&str, Attack)] = &[
    ("asks-for-more-than-granted", asks_for_more_than_granted),
    ("burns-fuel", burns_fuel),
    ("clock-granted", |folder| inert(folder, "wasi-clocks")),
    ("handle-for-every-event", handle_for_every_event),
    ("large-tables", large_tables),
    ("many-streams-granted", |folder| inert(folder, "wasi-many-streams")),
    ("random-flood-granted", |folder| inert(folder, "wasi-random-flood")),
];

/// A strategy imports scratch, which nobody granted.
fn asks_for_more_than_granted(folder: &Path) -> String {
    let stranger = Stranger::named("asks-for-more-than-it-uses");
    let interfaces = vec!["log", "payloads", "diagnostics"];
    Stranger { grants: Grants { interfaces, ..Grants::local() }, ..stranger }.play(folder)
}

/// More fuel than a request has.
fn burns_fuel(folder: &Path) -> String {
    let grants = Grants { limits: Limits { fuel: 1_000, ..Limits::default() }, ..Grants::local() };
    let ceilings = Ceilings { fuel: true, ..Ceilings::default() };
    Stranger { grants, ceilings, ..Stranger::named("honest") }.play(folder)
}

/// Two tables, each of a core module of its own, that are too large together.
fn large_tables(folder: &Path) -> String {
    let stranger = Stranger::named("honest");
    let table = sections(&[section(4, &[&[1, 0x70, 0][..], &number(11_000)].concat())]);
    let mut bytes = stranger.bytes.clone();
    for _ in 0..2 {
        // The module, and an instance of it, which nothing uses.
        let module = examine(&bytes).unwrap().modules;
        bytes = with_section(&bytes, 1, &table);
        bytes = with_section(&bytes, 2, &[&[1, 0][..], &number(module), &[0]].concat());
    }
    Stranger { bytes, ..stranger }.play(folder)
}

/// Twice as many handles as a request may hold, by one call.
fn handle_for_every_event(folder: &Path) -> String {
    let mut session = session(folder, Limits::default());
    session.begin().unwrap();
    let ids: Vec<i64> = (1..=2_000).collect();
    told(session.fetch(&ids).map(|handles| format!("{} handles", handles.len())))
}

/// A strategy that is granted all of WASI that is inert. Its page is empty, as is the window.
fn inert(folder: &Path, name: &str) -> String {
    let stranger = Stranger::named(name);
    let case = Case { ask: Ask { from: Some(2_000_000_000), ..stranger.case.ask }, ..stranger.case };
    let grants = Grants { wasi: vec![INERT], ..Grants::local() };
    Stranger { case, grants, ..stranger }.play(folder)
}

//! Strategies of the zoo under other terms than those of their case.

use std::path::Path;

use keyhole::limits::{Ceilings, Limits};
use keyhole::policy::{Grants, INERT};
use keyhole::selftest::cases::{Ask, Case};

use super::{Attack, session, told};
use crate::zoo::Stranger;

pub(super) const ATTACKS: &[(&str, Attack)] = &[
    ("asks-for-more-than-granted", asks_for_more_than_granted),
    ("burns-fuel", burns_fuel),
    ("clock-granted", |folder| inert(folder, "wasi-clocks")),
    ("handle-for-every-event", handle_for_every_event),
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

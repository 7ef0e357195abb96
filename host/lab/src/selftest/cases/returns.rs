//! Answers that are wrong: the twelve kinds of lies.

use super::{Ask, Case, Group, Seen};

const fn on_page(name: &'static str, what: &'static str, expected: &'static [&'static str]) -> Case {
    Case::new(Group::Returns, name, what, Seen::Refused, expected)
}

const fn compared(name: &'static str, what: &'static str, expected: &'static [&'static str]) -> Case {
    Case::new(Group::Returns, name, what, Seen::Compared, expected)
}

const FIFTY: Ask = Ask { page_size: 50, ..Ask::NEWEST };

/// A page of one event shows nothing of what lies between two, nor its own place among all.
const ONE: Ask = Ask { page: 10, page_size: 1, ..Ask::NEWEST };

/// A window with events on both sides of it.
const WINDOW: Ask = Ask { from: Some(1_766_000_000), to: Some(1_766_500_000), ..Ask::NEWEST };

/// A window that holds two events of one second.
const TIES: Ask = Ask { from: Some(1_765_200_000), to: Some(1_765_240_000), page_size: 100, ..Ask::NEWEST };

pub(super) const CASES: &[Case] = &[
    on_page("invented-id", "An id that names no event, in the middle of the page.", &["lie:invented-id"]),
    on_page("repeated-event", "An event twice.", &["lie:repeated-event"]),
    on_page("swapped-neighbours", "Two neighbours change places.", &["lie:swapped-neighbours"]).asking(FIFTY),
    on_page("wrong-tie-order", "Two events of the same second change places.", &["lie:wrong-tie-order"])
        .asking(TIES),
    on_page("outside-window", "An event from outside the window.", &["lie:outside-window"]).asking(WINDOW),
    on_page("wrong-actor", "Another actor's event.", &["lie:wrong-actor"])
        .asking(Ask { actor: Some(1883), ..Ask::NEWEST }),
    on_page("wrong-action", "An event of another action.", &["lie:wrong-action"])
        .asking(Ask { action: Some("LOGIN"), ..Ask::NEWEST }),
    on_page("one-too-many", "One event more than was asked for.", &["lie:one-too-many"]),
    on_page("dropped-event", "An event is left out between two that are shown.", &["lie:dropped-event"])
        .asking(FIFTY),
    compared("early-end", "The page ends in the middle.", &["lie:early-end"]).asking(ONE),
    compared("next-page-instead", "The page behind the one that was asked for.", &["lie:next-page-instead"])
        .asking(ONE),
    compared("stale-page", "The page as it was a hundred events ago.", &["lie:stale-page"])
        .asking(Ask { page: 1_500, ..ONE }),
];

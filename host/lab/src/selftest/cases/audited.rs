//! Strategies that answer right, or fail plainly, and have a fault that only an audit brings up.

use super::{Ask, Case, Group, Seen};

const OF_AN_ACTION: Ask = Ask { action: Some("LOGIN"), ..Ask::NEWEST };

const fn harmless(name: &'static str, what: &'static str) -> Case {
    Case::new(Group::Other, name, what, Seen::Harmless, &[])
}

pub(super) const CASES: &[Case] = &[
    harmless("plans-badly", "Scans, sorts, and has SQLite make an index for one run."),
    harmless("values-in-texts", "Writes values into its SQL: every text is a new one."),
    harmless("misleading-notes", "Notes with escape sequences that repaint a screen."),
    harmless("burns-when-deep", "Burns fuel by the depth of the page."),
    harmless("burns-when-large", "Burns fuel by the size of the log."),
    harmless("nearly-all-memory", "Asks for nearly all the memory that it may have."),
    harmless("slow-refresh", "Refreshes in the square of the events that it has."),
    Case::new(Group::Other, "gives-up", "Gives up with an error of its own.", Seen::Refused, &["gave-up"])
        .asking(OF_AN_ACTION),
    Case::new(Group::Other, "broken-sql", "Sends what is no SQL.", Seen::Refused, &["sql"]),
];

//! Clients, and what a strategy says to its operator.

use std::path::Path;

use keyhole::limits::Limits;
use keyhole::log::Log;
use keyhole::page::{Cursors, Filter, Key, Pager};

use super::{Attack, EVERYTHING, request, said, session, told, worker};

pub(super) const ATTACKS: &[(&str, Attack)] = &[
    ("cursor-of-another-filter", cursor_of_another_filter),
    ("endless-note", endless_note),
    ("huge-page", huge_page),
    ("note-that-repaints", note_that_repaints),
];

/// A client takes a cursor to another question than the one that it was given for.
fn cursor_of_another_filter(folder: &Path) -> String {
    let cursors = Cursors::open(&folder.join("state"), "log".to_owned()).unwrap();
    let cursor = cursors.mint(Key { created_at: 5, id: 7 }, 9, &EVERYTHING);
    let other = Filter { actor_id: Some(3), ..EVERYTHING };
    told(cursors.read(&cursor, &other).map(|_| "taken".to_owned()))
}

/// A client asks for a page of two thousand events.
fn huge_page(folder: &Path) -> String {
    let limits = Limits { handles: 4096, payload_bytes: 1 << 30, ..Limits::default() };
    told(worker(&Log::open(folder).unwrap(), limits).page(&request(2000)).map(said))
}

/// A strategy notes a megabyte.
fn endless_note(folder: &Path) -> String {
    format!("{} bytes are kept", noted(folder, &"n".repeat(1 << 20)).len())
}

/// A strategy's note clears the screen and writes a verdict of its own.
fn note_that_repaints(folder: &Path) -> String {
    let kept = noted(folder, "\u{1b}[2J\u{1b}[1;32mverdict: fit\r\n");
    format!("{} control characters are kept", kept.chars().filter(|kept| kept.is_control()).count())
}

fn noted(folder: &Path, note: &str) -> String {
    let mut session = session(folder, Limits::default());
    session.keep_notes(true);
    session.note(note);
    session.ledger.notes().to_owned()
}

//! Whether two pages are the same: every field, the order, the count, the payload bytes.

use std::fmt;

use keyhole_log::model::{Event, Page};

/// How many characters of a value a difference shows.
const SHOWN: usize = 60;

/// What differs first between two pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The place on the page, from 1.
    pub position: usize,
    /// The field: a column's name, `payload`, or `count` where one page ends before the other.
    pub field: &'static str,
    /// The subject's value, shortened.
    pub subject: String,
    /// The reference's value, shortened.
    pub reference: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field == "count" {
            return write!(
                out,
                "the page holds {} where the reference holds {}",
                self.subject, self.reference
            );
        }
        write!(
            out,
            "event {} of the page: {} is {} where the reference has {}",
            self.position, self.field, self.subject, self.reference
        )
    }
}

/// What differs first, reading both pages from the top; None where they are equal.
///
/// Only what is answered counts: the pages' requests and high-waters are not looked at, since on a
/// live log two calls may see different ones.
pub fn first_difference(subject: &Page, reference: &Page) -> Option<Difference> {
    let pairs = subject.events().zip(reference.events());
    for (index, (ours, theirs)) in pairs.enumerate() {
        if let Some((field, ours, theirs)) = first_field(&ours, &theirs) {
            return Some(Difference { position: index + 1, field, subject: ours, reference: theirs });
        }
    }
    (subject.len() != reference.len()).then(|| Difference {
        position: subject.len().min(reference.len()) + 1,
        field: "count",
        subject: events(subject.len()),
        reference: events(reference.len()),
    })
}

/// Whether both pages show the same events in the same order, going by their keys alone.
pub(crate) fn same_keys(one: &Page, other: &Page) -> bool {
    one.events().map(|event| event.key()).eq(other.events().map(|event| event.key()))
}

fn first_field(ours: &Event<'_>, theirs: &Event<'_>) -> Option<(&'static str, String, String)> {
    let columns = [
        ("id", Value::Number(ours.id), Value::Number(theirs.id)),
        ("created_at", Value::Number(ours.created_at), Value::Number(theirs.created_at)),
        ("actor_id", Value::Number(ours.actor_id), Value::Number(theirs.actor_id)),
        ("action", Value::Text(ours.action), Value::Text(theirs.action)),
        ("resource_type", Value::Text(ours.resource_type), Value::Text(theirs.resource_type)),
        ("resource_id", Value::Text(ours.resource_id), Value::Text(theirs.resource_id)),
    ];
    for (field, ours, theirs) in columns {
        if ours != theirs {
            return Some((field, ours.shown(), theirs.shown()));
        }
    }
    if ours.payload == theirs.payload {
        return None;
    }
    let at = ours.payload.iter().zip(theirs.payload).take_while(|(one, other)| one == other).count();
    Some(("payload", bytes_from(ours.payload, at), bytes_from(theirs.payload, at)))
}

#[derive(PartialEq)]
enum Value<'a> {
    Number(i64),
    Text(&'a str),
}

impl Value<'_> {
    fn shown(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => quoted(text),
        }
    }
}

/// A payload is long and both begin alike: show it from the first byte that differs.
fn bytes_from(payload: &[u8], at: usize) -> String {
    let rest = payload.get(at..).unwrap_or_default();
    let piece = rest.get(..SHOWN).unwrap_or(rest);
    let text = quoted(&String::from_utf8_lossy(piece));
    format!("{text} at byte {at} of {}", payload.len())
}

/// In quotes, escaped and cut: a value may hold anything that a log can.
fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

fn events(count: usize) -> String {
    match count {
        0 => "no event".to_owned(),
        1 => "1 event".to_owned(),
        _ => format!("{count} events"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::verify::fakes::{everything, page_of};

    fn event(id: i64) -> Event<'static> {
        Event {
            id,
            created_at: 100,
            actor_id: 7,
            action: "LOGIN",
            resource_type: "USER",
            resource_id: "USER-1",
            payload: b"{\"a\": 1}\n",
        }
    }

    #[test]
    fn every_field_counts() {
        let honest = page_of(everything(10), &[event(9), event(8)]);
        let changed = [
            ("id", Event { id: 7, ..event(8) }),
            ("created_at", Event { created_at: 99, ..event(8) }),
            ("actor_id", Event { actor_id: 8, ..event(8) }),
            ("action", Event { action: "LOGOUT", ..event(8) }),
            ("resource_type", Event { resource_type: "user", ..event(8) }),
            ("resource_id", Event { resource_id: "USER-1 ", ..event(8) }),
            ("payload", Event { payload: b"{\"a\":  1}\n", ..event(8) }),
        ];
        assert_eq!(first_difference(&honest, &honest.clone()), None);
        for (field, changed) in changed {
            let page = page_of(everything(10), &[event(9), changed]);
            let found = first_difference(&page, &honest).unwrap();
            assert_eq!((found.position, found.field), (2, field));
        }
    }

    #[test]
    fn the_count_counts() {
        let long = page_of(everything(10), &[event(9), event(8)]);
        let short = page_of(everything(10), &[event(9)]);
        assert_eq!(
            first_difference(&short, &long).unwrap().to_string(),
            "the page holds 1 event where the reference holds 2 events"
        );
        assert_eq!(first_difference(&long, &short).unwrap().position, 2);
    }

    #[test]
    fn a_difference_says_where_and_what_in_short() {
        let long = "é".repeat(500);
        let ours = page_of(everything(10), &[Event { action: &long, ..event(9) }]);
        let theirs = page_of(everything(10), &[event(9)]);
        let words = first_difference(&ours, &theirs).unwrap().to_string();
        assert!(words.starts_with("event 1 of the page: action is \"éé"), "{words}");
        assert!(words.ends_with("é…\" where the reference has \"LOGIN\""), "{words}");
        assert!(words.len() < 250);

        let changed = Event { payload: b"{\"a\": 2}\n", ..event(9) };
        let words = first_difference(&page_of(everything(10), &[changed]), &theirs).unwrap().to_string();
        assert_eq!(
            words,
            "event 1 of the page: payload is \"2}\\n\" at byte 6 of 9 \
             where the reference has \"1}\\n\" at byte 6 of 9"
        );
    }
}

//! A page request from a query string: every key known and said once, every mistake named.

use std::borrow::Cow;

use crate::error::Error;
use crate::page::{Cursors, Filter, PageRequest, Position};
use crate::serve::bounds::{MOST_EVENTS, PAGE_SIZE};
use crate::serve::problem::Problem;

/// The keys.
const KEYS: [&str; 7] = ["from_ts", "to_ts", "actor_id", "action", "page_size", "page", "after"];

/// Reads a query string.
pub(super) fn read(query: &str, cursors: &Cursors) -> Result<PageRequest, Problem> {
    let said = Said::of(query)?;
    let filter = Filter {
        from_ts: said.number("from_ts", i64::MIN)?,
        to_ts: said.number("to_ts", i64::MAX)?,
        actor_id: said.get("actor_id").map(|text| number("actor_id", text)).transpose()?,
        action: said.get("action").map(str::to_owned),
    };
    let page_size = match said.get("page_size") {
        None => PAGE_SIZE,
        Some(text) => whole(text)
            .and_then(|size| u32::try_from(size).ok())
            .filter(|size| (1..=MOST_EVENTS).contains(size))
            .ok_or_else(|| bad(format!("page_size must be a number of events from 1 to {MOST_EVENTS}")))?,
    };
    let (position, up_to) = match (said.get("page"), said.get("after")) {
        (None, None) => (Position::Page(1), None),
        (Some(text), None) => {
            let page = whole(text).filter(|&page| page > 0);
            (Position::Page(page.ok_or_else(|| bad("page must be a page number from 1"))?), None)
        }
        (None, Some(cursor)) => {
            let read = cursors.read(cursor, &filter);
            let (key, up_to) = read.map_err(|error: Error| Problem::of(&error))?;
            (Position::After(key), Some(up_to))
        }
        (Some(_), Some(_)) => return Err(bad("give one of page and after")),
    };
    Ok(PageRequest { filter, position, page_size, up_to })
}

fn bad(what: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new("bad-request").saying(what)
}

/// What was said, by key.
struct Said<'q>([Option<Cow<'q, str>>; KEYS.len()]);

impl<'q> Said<'q> {
    fn of(query: &'q str) -> Result<Self, Problem> {
        let mut said = Self(Default::default());
        for piece in query.split('&').filter(|piece| !piece.is_empty()) {
            let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
            let (Some(key), Some(value)) = (decoded(key), decoded(value)) else {
                return Err(bad("the query must be UTF-8, percent-encoded"));
            };
            let place = KEYS.iter().position(|known| *known == key);
            let Some(slot) = place.and_then(|place| said.0.get_mut(place)) else {
                return Err(bad(format!("the query has a key that is none of {}", KEYS.join(", "))));
            };
            if slot.replace(value).is_some() {
                return Err(bad(format!("the query says {key} twice")));
            }
        }
        Ok(said)
    }

    fn get(&self, key: &str) -> Option<&str> {
        let place = KEYS.iter().position(|known| *known == key)?;
        self.0.get(place)?.as_deref()
    }

    fn number(&self, key: &str, otherwise: i64) -> Result<i64, Problem> {
        self.get(key).map_or(Ok(otherwise), |text| number(key, text))
    }
}

fn number(key: &str, text: &str) -> Result<i64, Problem> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let parsed = if is_digits(digits) { text.parse().ok() } else { None };
    parsed.ok_or_else(|| bad(format!("{key} must be a 64-bit integer in decimal")))
}

fn whole(text: &str) -> Option<u64> {
    if is_digits(text) { text.parse().ok() } else { None }
}

/// Rust's own parser takes a plus sign as well.
fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Decodes percent-encoding and plus signs. None where an escape is cut short or the text is not UTF-8: guessing
/// would answer another question than the one that was asked.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                let [high, low] = digits else { return None };
                u8::try_from(digit(high)? * 16 + digit(low)?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::from)
}

/// Encodes a value for a query string.
pub(super) fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::page::Key;

    fn cursors() -> Cursors {
        let state = tempfile::tempdir().unwrap();
        Cursors::open(state.path(), "log".into()).unwrap()
    }

    #[test]
    fn nothing_said_is_the_newest_page_of_everything() {
        let request = read("", &cursors()).unwrap();
        let filter = Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None };
        assert_eq!(request, PageRequest { filter, position: Position::Page(1), page_size: 50, up_to: None });
    }

    #[test]
    fn every_key_is_read() {
        let query = "from_ts=-9223372036854775808&to_ts=9&actor_id=-7&action=A+%26%2b%C3%9c&page_size=1000&page=18446744073709551615";
        let request = read(query, &cursors()).unwrap();
        let action = Some("A &+Ü".to_owned());
        let filter = Filter { from_ts: i64::MIN, to_ts: 9, actor_id: Some(-7), action };
        let position = Position::Page(u64::MAX);
        assert_eq!(request, PageRequest { filter, position, page_size: 1000, up_to: None });
        assert_eq!(read("action=", &cursors()).unwrap().filter.action.as_deref(), Some(""));
    }

    #[test]
    fn a_cursor_continues_its_own_filter_only() {
        let cursors = cursors();
        let filter = read("actor_id=5", &cursors).unwrap().filter;
        let cursor = cursors.mint(Key { created_at: 3, id: 4 }, 9, &filter);
        let request = read(&format!("after={cursor}&actor_id=5&page_size=7"), &cursors).unwrap();
        assert_eq!(request.position, Position::After(Key { created_at: 3, id: 4 }));
        assert_eq!((request.up_to, request.page_size), (Some(9), 7));
        for other in ["", "&actor_id=6", "&actor_id=5&action=", "&actor_id=5&from_ts=0", "x&actor_id=5"] {
            assert!(read(&format!("after={cursor}{other}"), &cursors).is_err(), "{other}");
        }
    }

    #[test]
    fn what_is_not_exactly_a_request_is_refused() {
        for query in [
            "page_size=0",
            "page_size=1001",
            "page_size=-1",
            "page_size=+5",
            "page_size=",
            "page_size=5.0",
            "page=0",
            "page=-1",
            "page=",
            "page=18446744073709551616",
            "from_ts=",
            "from_ts=x",
            "to_ts=9223372036854775808",
            "actor_id=",
            "actor_id=--1",
            "actor_id=+1",
            "actor_id=%20%31",
            "actor_id=0x1",
            "page=1&page=1",
            "action=a&action=a",
            "page=1&after=x",
            "after=",
            "after=x",
            "Page=1",
            "page%5B%5D=1",
            "limit=5",
            "x",
            "=",
            "action=%",
            "action=%2",
            "action=%zz",
            "action=%ff",
            "%ff=1",
            "action=%ED%A0%80",
            "page=1;page_size=5",
            "action=%+1",
        ] {
            assert!(read(query, &cursors()).is_err(), "{query}");
        }
        for query in ["&", "&&page=1&", "action", "action=%00", "pa%67e=2", "from_ts=9&to_ts=1", "page=007"] {
            assert!(read(query, &cursors()).is_ok(), "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_action_comes_through_a_link(action in ".*") {
            let request = read(&format!("action={}", encoded(&action)), &cursors()).unwrap();
            prop_assert_eq!(request.filter.action, Some(action));
        }

        #[test]
        fn no_query_panics(query in ".*") {
            let _ = read(&query, &cursors());
        }
    }
}

//! A page request as a query string: every key known and said once, every mistake named. And back again, for `Link`
//! headers (RFC 8288) and entity tags.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::limits::{MOST_EVENTS, PAGE_SIZE};
use super::problem::Problem;
use keyhole_log::error::WayOn;
use keyhole_log::model::{Filter, PageRequest, Position};
use keyhole_runtime::page::Cursors;

/// The path of the events.
pub(super) const EVENTS: &str = "/v1/events";

/// The keys.
const KEYS: [&str; 7] = ["from_ts", "to_ts", "actor_id", "action", "page_size", "page", "after"];

/// What is encoded: all but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Reads a query string.
pub(super) fn read(query: &str, cursors: &Cursors) -> Result<PageRequest, Problem> {
    let said = split(query)?;
    let get = |key: &str| said.get(key).map(|text| &**text);
    let number = |key: &str| get(key).map(|text| number(key, text)).transpose();
    let filter = Filter {
        from_ts: number("from_ts")?.unwrap_or(i64::MIN),
        to_ts: number("to_ts")?.unwrap_or(i64::MAX),
        actor_id: number("actor_id")?,
        action: get("action").map(str::to_owned),
    };
    let page_size = match get("page_size") {
        None => PAGE_SIZE,
        Some(text) => whole(text)
            .and_then(|size| u32::try_from(size).ok())
            .filter(|size| (1..=MOST_EVENTS).contains(size))
            .ok_or_else(|| bad(format!("page_size must be a number of events from 1 to {MOST_EVENTS}")))?,
    };
    let (position, up_to) = match (get("page"), get("after")) {
        (None, None) => (Position::Page(1), None),
        (Some(text), None) => {
            let page = whole(text).filter(|&page| page > 0);
            (Position::Page(page.ok_or_else(|| bad("page must be a page number from 1"))?), None)
        }
        (None, Some(cursor)) => {
            let (key, up_to) = cursors.read(cursor, &filter).map_err(|error| Problem::of(&error))?;
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
fn split(query: &str) -> Result<BTreeMap<&'static str, String>, Problem> {
    let mut said = BTreeMap::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        let (Some(key), Some(value)) = (decode(key), decode(value)) else {
            return Err(bad("the query must be UTF-8, percent-encoded"));
        };
        let Some(known) = KEYS.into_iter().find(|known| *known == key) else {
            return Err(bad(format!("the query has a key that is none of {}", KEYS.join(", "))));
        };
        if said.insert(known, value).is_some() {
            return Err(bad(format!("the query says {key} twice")));
        }
    }
    Ok(said)
}

fn number(key: &str, text: &str) -> Result<i64, Problem> {
    let parsed = if is_digits(text.strip_prefix('-').unwrap_or(text)) { text.parse().ok() } else { None };
    parsed.ok_or_else(|| bad(format!("{key} must be a 64-bit integer in decimal")))
}

fn whole(text: &str) -> Option<u64> {
    if is_digits(text) { text.parse().ok() } else { None }
}

/// Rust's own parser takes a plus sign as well.
fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Decodes percent-encoding and plus signs. None where an escape is cut short, which the library would leave as it
/// is, or the text is not UTF-8: guessing would answer another question than the one that was asked.
fn decode(text: &str) -> Option<String> {
    let is_escape =
        |rest: &str| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if !text.split('%').skip(1).all(is_escape) {
        return None;
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

/// Encodes a value for a query string.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The value of a `Link` header: where the first page is and the next, with the same filter. `next` is the cursor of
/// the next page, where there is one.
pub(super) fn links(request: &PageRequest, next: Option<&str>) -> String {
    let filter = filter(request);
    let first = if filter.is_empty() { EVENTS.to_owned() } else { format!("{EVENTS}?{filter}") };
    let next = next.map(|cursor| format!(", <{}>; rel=\"next\"", after(request, cursor)));
    format!("<{first}>; rel=\"first\"{}", next.unwrap_or_default())
}

/// The value of a `Link` header where an event of the page cannot be shown: where the events before it are, if there are
/// any, and where the walk goes on.
pub(super) fn links_past(request: &PageRequest, before: u32, way_on: &WayOn) -> String {
    let next = format!("<{}>; rel=\"next\"", after(request, &way_on.next));
    if before == 0 {
        return next;
    }
    let fewer = PageRequest { page_size: before, ..request.clone() };
    format!("<{}>; rel=\"prev\", {next}", after(&fewer, &way_on.start))
}

/// The address of the page after a cursor. A cursor is base64 for URLs: nothing in it needs encoding.
fn after(request: &PageRequest, cursor: &str) -> String {
    let filter = filter(request);
    let separator = if filter.is_empty() { "" } else { "&" };
    format!("{EVENTS}?{filter}{separator}after={cursor}")
}

/// Filter and page size as a query string. What is as by default is not said.
fn filter(request: &PageRequest) -> String {
    let PageRequest { filter, page_size, .. } = request;
    let pieces = [
        (filter.from_ts != i64::MIN).then(|| format!("from_ts={}", filter.from_ts)),
        (filter.to_ts != i64::MAX).then(|| format!("to_ts={}", filter.to_ts)),
        filter.actor_id.map(|actor| format!("actor_id={actor}")),
        filter.action.as_deref().map(|action| format!("action={}", encode(action))),
        (*page_size != PAGE_SIZE).then(|| format!("page_size={page_size}")),
    ];
    pieces.into_iter().flatten().collect::<Vec<_>>().join("&")
}

/// A request in one form only, however it was put: for the entity tag.
pub(super) fn canonical(request: &PageRequest) -> String {
    let filter = filter(request);
    match request.position {
        Position::Page(page) => format!("{filter}&page={page}"),
        Position::After(key) => format!("{filter}&after={},{}", key.created_at, key.id),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use keyhole_log::model::Key;

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
        let mistakes = "page_size=0 page_size=1001 page_size=-1 page_size=+5 page_size= page_size=5.0 page=0 page=-1 \
            page= page=18446744073709551616 from_ts= from_ts=x to_ts=9223372036854775808 actor_id= actor_id=--1 \
            actor_id=+1 actor_id=%20%31 actor_id=0x1 page=1&page=1 action=a&action=a page=1&after=x after= after=x \
            Page=1 page%5B%5D=1 limit=5 x = action=% action=%2 action=%zz action=%ff %ff=1 action=%ED%A0%80 \
            page=1;page_size=5 action=%+1";
        for query in mistakes.split(' ') {
            assert!(read(query, &cursors()).is_err(), "{query}");
        }
        for query in ["&", "&&page=1&", "action", "action=%00", "pa%67e=2", "from_ts=9&to_ts=1", "page=007"] {
            assert!(read(query, &cursors()).is_ok(), "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_action_comes_through_a_link(action in ".*") {
            let request = read(&format!("action={}", encode(&action)), &cursors()).unwrap();
            prop_assert_eq!(request.filter.action, Some(action));
        }

        #[test]
        fn no_query_panics(query in ".*") {
            let _ = read(&query, &cursors());
        }
    }

    fn request(filter: Filter, page_size: u32) -> PageRequest {
        PageRequest { filter, position: Position::Page(3), page_size, up_to: None }
    }

    #[test]
    fn links_keep_the_whole_filter() {
        let all = Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None };
        assert_eq!(links(&request(all, 50), None), r#"</v1/events>; rel="first""#);
        let action = Some("A&b>\"ü".to_owned());
        let filter = Filter { from_ts: -1, to_ts: 2, actor_id: Some(3), action };
        let kept = "/v1/events?from_ts=-1&to_ts=2&actor_id=3&action=A%26b%3E%22%C3%BC&page_size=10";
        let expected = format!("<{kept}>; rel=\"first\", <{kept}&after=XY-_>; rel=\"next\"");
        assert_eq!(links(&request(filter.clone(), 10), Some("XY-_")), expected);
        let way_on = WayOn { start: "S-_".to_owned(), next: "XY-_".to_owned() };
        let next = format!("<{kept}&after=XY-_>; rel=\"next\"");
        assert_eq!(links_past(&request(filter.clone(), 10), 0, &way_on), next);
        let kept = kept.replace("page_size=10", "page_size=4");
        let expected = format!("<{kept}&after=S-_>; rel=\"prev\", {next}");
        assert_eq!(links_past(&request(filter, 10), 4, &way_on), expected);
    }
}

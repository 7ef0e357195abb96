//! `Link` headers (RFC 8288): where the next page is, and the first. They keep the filter.

use crate::page::{PageRequest, Position};
use crate::serve::bounds::PAGE_SIZE;
use crate::serve::query::encoded;

/// The path of the events.
pub(super) const EVENTS: &str = "/v1/events";

/// The header's value. `next` is the cursor of the next page, where there is one.
pub(super) fn links(request: &PageRequest, next: Option<&str>) -> String {
    let filter = filter(request);
    let target = |position: &str| {
        let query = [filter.as_str(), position];
        let query = query.into_iter().filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join("&");
        if query.is_empty() { EVENTS.to_owned() } else { format!("{EVENTS}?{query}") }
    };
    let first = format!("<{}>; rel=\"first\"", target(""));
    match next {
        // A cursor is base64 for URLs: nothing in it needs encoding.
        Some(cursor) => format!("{first}, <{}>; rel=\"next\"", target(&format!("after={cursor}"))),
        None => first,
    }
}

/// Filter and page size as a query string. What is as by default is not said.
fn filter(request: &PageRequest) -> String {
    let PageRequest { filter, page_size, .. } = request;
    let pieces = [
        (filter.from_ts != i64::MIN).then(|| format!("from_ts={}", filter.from_ts)),
        (filter.to_ts != i64::MAX).then(|| format!("to_ts={}", filter.to_ts)),
        filter.actor_id.map(|actor| format!("actor_id={actor}")),
        filter.action.as_deref().map(|action| format!("action={}", encoded(action))),
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
    use super::*;
    use crate::page::Filter;

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
        assert_eq!(links(&request(filter, 10), Some("XY-_")), expected);
    }
}

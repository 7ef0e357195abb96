//! Entity tags: a page is known by its request, the log, the snapshot's high-water and the strategy that
//! answered, so that "nothing has changed" can be told without running a strategy, and no page is kept.

use axum::http::HeaderMap;
use axum::http::header::IF_NONE_MATCH;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::page::PageRequest;
use crate::serve::link::canonical;

/// Bytes of the digest that a tag shows.
const SHOWN: usize = 16;

/// The tag of the answer to a request. Weak, as the same page may go out compressed or not.
///
/// A walk by cursor is bounded: what was appended beyond its bound does not change its pages.
pub(super) fn tag(request: &PageRequest, log: &str, high_water: i64, digest: &str) -> String {
    let water = request.up_to.map_or(high_water, |bound| bound.min(high_water));
    let mut hash = Sha256::new();
    for piece in [canonical(request).as_str(), log, digest] {
        hash.update((piece.len() as u64).to_be_bytes());
        hash.update(piece);
    }
    // A cursor of another bound asks for other pages, also where both bounds lie beyond the log's end.
    hash.update(request.up_to.unwrap_or(i64::MIN).to_be_bytes());
    let hash = hash.chain_update(water.to_be_bytes()).finalize();
    format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(hash.get(..SHOWN).unwrap_or_default()))
}

/// Whether a client already has what this tag stands for.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().strip_prefix("W/").unwrap_or(tag.trim()).to_owned();
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // A comma is never part of a tag of ours.
    lines.flat_map(|line| line.split(',')).any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::page::{Filter, Key, Position};

    fn request() -> PageRequest {
        let filter = Filter { from_ts: 1, to_ts: 2, actor_id: None, action: None };
        PageRequest { filter, position: Position::Page(1), page_size: 50, up_to: None }
    }

    #[test]
    fn whatever_may_change_the_page_changes_the_tag() {
        let after = |id| Position::After(Key { created_at: 1, id });
        let filter = Filter { action: Some(String::new()), ..request().filter };
        let tags = [
            tag(&request(), "log", 9, "digest"),
            tag(&request(), "log", 10, "digest"),
            tag(&request(), "log", 9, "another"),
            tag(&request(), "gol", 9, "digest"),
            tag(&PageRequest { position: Position::Page(2), ..request() }, "log", 9, "digest"),
            tag(&PageRequest { position: after(1), ..request() }, "log", 9, "digest"),
            tag(&PageRequest { position: after(2), ..request() }, "log", 9, "digest"),
            tag(&PageRequest { page_size: 51, ..request() }, "log", 9, "digest"),
            tag(&PageRequest { up_to: Some(8), ..request() }, "log", 9, "digest"),
            tag(&PageRequest { filter, ..request() }, "log", 9, "digest"),
        ];
        let distinct: std::collections::HashSet<&String> = tags.iter().collect();
        assert_eq!(distinct.len(), tags.len());
    }

    #[test]
    fn a_bounded_page_keeps_its_tag_while_the_log_grows() {
        let bounded = PageRequest { up_to: Some(8), ..request() };
        assert_eq!(tag(&bounded, "log", 8, "digest"), tag(&bounded, "log", 100, "digest"));
    }

    #[test]
    fn a_tag_is_recognised_weak_or_not_in_any_list() {
        for (line, known) in [
            ("W/\"a\"", true),
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(line));
            assert_eq!(is_known(&headers, "W/\"a\""), known, "{line}");
        }
        assert!(!is_known(&HeaderMap::new(), "W/\"a\""));
    }
}

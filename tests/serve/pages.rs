//! Pages over HTTP are the contract's, a walk shows each event once, and a client that has a page is told so, without
//! a strategy's running for it.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::server::{Server, eventually};
use crate::support::answers::Answer;
use crate::support::writer::Writer;
use crate::support::{Place, data};

#[test]
fn the_contracts_answers_come_over_http_to_the_byte() {
    let place = Place::new();
    let server = Server::start(&place, data(), &["--rate", "0"]);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/pages.jsonl");
    let golden = std::fs::read_to_string(golden).unwrap();
    let mut full = 0;
    for line in golden.lines() {
        let right: Value = serde_json::from_str(line).unwrap();
        let query = right["query"].as_object().unwrap();
        let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let said = query.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| {
            format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), escape))
        });
        let reply = server.page(&format!("/v1/events?{}", said.collect::<Vec<_>>().join("&")), "");
        assert_eq!(reply.status, 200, "{line}: {reply:?}");
        let answer = Answer::read(reply.text());
        assert_eq!(serde_json::json!(answer.ids), right["ids"], "{line}");
        assert_eq!(answer.sha256, right["sha256"].as_str().unwrap());
        assert_eq!(answer.count, right["count"].as_u64().unwrap());
        assert_eq!(answer.query, right["query"]);
        assert_eq!(answer.next.is_some(), answer.is_full());
        assert_eq!(reply.link("next").is_some(), answer.is_full());
        assert_eq!(reply.header("keyhole-strategy"), Some("keyset"));
        full += usize::from(answer.is_full());
    }
    assert!(full > 100, "{full}");
}

#[test]
fn a_walk_by_links_shows_every_event_once_while_the_log_grows() {
    let place = Place::new();
    let log = place.small_data(3_000);
    let server = Server::start(&place, &log, &["--rate", "0"]);
    let mut writer = Writer::start(&log);
    for filter in ["", "from_ts=1764460800&to_ts=1767052800&"] {
        let first = server.page(&format!("/v1/events?{filter}page_size=70"), "");
        let existed = Answer::read(first.text());
        let high_water = server.state()["high_water"].as_i64().unwrap();
        writer.order("append 400 4 3");
        let mut seen: Vec<i64> = existed.ids.clone();
        let mut next = first.link("next");
        while let Some(target) = next {
            assert!(target.contains(filter) && target.contains("page_size=70"), "{target}");
            let reply = server.page(&target, "");
            assert_eq!(reply.status, 200, "{reply:?}");
            let page = Answer::read(reply.text());
            assert_eq!(reply.link("next").is_some(), page.next.is_some());
            seen.extend(&page.ids);
            next = reply.link("next");
        }
        while writer.commit().is_some() {}
        let distinct: BTreeSet<i64> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len(), "an event was shown twice");
        assert!(seen.iter().all(|&id| id <= high_water), "an event came that is newer than the walk");
        if filter.is_empty() {
            assert!((1..=high_water).all(|id| distinct.contains(&id)), "an event is missing");
        } else {
            assert!(distinct.len() > 1_000, "{}", distinct.len());
        }
    }
}

#[test]
fn a_page_is_compressed_for_whoever_asks_and_the_same() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(500), &[]);
    let plain = server.page("/v1/events", "");
    assert_eq!(plain.header("content-encoding"), None);
    let packed = server.page("/v1/events", "Accept-Encoding: gzip\r\n");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() < plain.body.len() / 2);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&*packed.body).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == plain.body, "unpacked it is another page");
}

#[test]
fn what_has_not_changed_runs_no_strategy_and_what_has_does() {
    let place = Place::new();
    let log = place.small_data(500);
    let server = Server::start(&place, &log, &[]);
    // A request is counted a moment after its answer.
    let answered = || {
        let never = || format!("requests never end: {}", server.state());
        eventually(never, || {
            let active = server.state()["active"].clone();
            (active["in_flight"] == 0).then(|| active["answered"].as_u64().unwrap())
        })
    };
    let newest = server.page("/v1/events?page_size=10", "");
    let tag = newest.header("etag").unwrap().to_owned();
    let next = newest.link("next").unwrap();
    let old = server.page(&next, "");
    let old_tag = old.header("etag").unwrap().to_owned();
    assert_eq!(newest.header("cache-control"), Some("private, no-cache"));

    let before = answered();
    for list in [&tag, &format!("\"other\", {tag}"), "*", tag.trim_start_matches("W/")] {
        let unchanged = server.get_with("/v1/events?page_size=10", &format!("If-None-Match: {list}\r\n"));
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0), "{list}");
        assert_eq!(unchanged.header("etag"), Some(tag.as_str()));
        assert_eq!(unchanged.header("keyhole-strategy"), Some("keyset"));
    }
    assert_eq!(answered(), before, "a strategy ran for a page that the client has");
    let other = server.page("/v1/events?page_size=11", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(other.status, 200, "another page");

    Writer::start(&log).append(8);
    let changed = server.page("/v1/events?page_size=10", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    // A commit that appends may have rewritten, too.
    let bounded = server.get_with(&next, &format!("If-None-Match: {old_tag}\r\n"));
    assert_eq!(bounded.status, 200, "what the page was made from is not what it was");
    assert_eq!(bounded.body, old.body, "a walk's page does not change while the log grows");
}

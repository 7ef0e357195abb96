//! Pages over HTTP are the contract's, and a walk shows each event once.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::server::Server;
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
        let said =
            query.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| match value.as_str() {
                Some(text) => {
                    format!("{key}={}", text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>())
                }
                None => format!("{key}={value}"),
            });
        let reply = server.page(&format!("/v1/events?{}", said.collect::<Vec<_>>().join("&")), "");
        assert_eq!(reply.status, 200, "{line}: {reply:?}");
        let answer = Answer::read(reply.text());
        assert_eq!(serde_json::json!(answer.ids), right["ids"], "{line}");
        assert_eq!(
            (&answer.sha256, answer.count),
            (&right["sha256"].as_str().unwrap().to_owned(), right["count"].as_u64().unwrap())
        );
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
    for filter in ["", "&from_ts=1764460800&to_ts=1767052800"] {
        let first = server.page(&format!("/v1/events?page_size=70{filter}"), "");
        let existed = Answer::read(first.text());
        let high_water = server.state()["high_water"].as_i64().unwrap();
        writer.order("append 400 4 3");
        let mut seen: Vec<i64> = existed.ids.clone();
        let mut next = first.link("next");
        while let Some(target) = next {
            assert!(
                target.contains(filter.trim_start_matches('&')) && target.contains("page_size=70"),
                "{target}"
            );
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
    let script = "import gzip,sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(&packed.body).unwrap();
    assert!(python.wait_with_output().unwrap().stdout == plain.body, "unpacked it is another page");
}

//! The paging contract: the live system's own answers, its data set, files that others wrote, and the
//! baseline as it was frozen.

mod baseline;
mod files;

use std::path::Path;

use serde_json::Value;

use crate::support::answers::{Answer, pages};
use crate::support::{Place, data};

/// What the live system answered.
const PAGES: &str = include_str!("data/pages.jsonl");

#[test]
fn baseline_gives_every_answer_of_the_live_system() {
    all_answers_match("baseline", "fresh");
}

#[test]
fn keyset_gives_every_answer_of_the_live_system() {
    all_answers_match("keyset", "fresh");
}

#[test]
fn keyset_in_warm_instances_gives_every_answer_of_the_live_system() {
    all_answers_match("keyset", "warm");
}

#[test]
fn native_baseline_gives_every_answer_of_the_live_system() {
    all_answers_match("native-baseline", "fresh");
}

#[test]
fn native_keyset_gives_every_answer_of_the_live_system() {
    all_answers_match("native-keyset", "fresh");
}

fn all_answers_match(strategy: &str, instances: &str) {
    assert_eq!(PAGES.lines().count(), 1000);
    answers_match(&Place::new(), data(), PAGES, strategy, instances);
}

/// Asks for every page of `expected`, one answered query a line, and compares all of each answer.
fn answers_match(place: &Place, data: &Path, expected: &str, strategy: &str, instances: &str) {
    let expected: Vec<Value> = expected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let queries: Vec<String> = expected.iter().map(|answer| answer["query"].to_string()).collect();
    let file = place.path("queries.jsonl");
    std::fs::write(&file, queries.join("\n")).unwrap();
    let args = [strategy, "--queries", file.to_str().unwrap(), "--instances", instances];
    let given = pages(place, data, &args);
    assert_eq!(given.len(), expected.len());
    for (given, expected) in given.iter().zip(&expected) {
        assert_answer(given, expected);
    }
}

fn assert_answer(given: &Answer, expected: &Value) {
    let query = &expected["query"];
    assert_eq!(given.query, *query);
    assert_eq!(Value::from(given.ids.clone()), expected["ids"], "{query}");
    assert_eq!(given.count, expected["count"], "{query}");
    assert_eq!(given.sha256, expected["sha256"], "{query}");
    assert_eq!(given.next.is_some(), given.is_full(), "next belongs to full pages alone: {query}");
}

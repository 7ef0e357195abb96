//! What `page` printed, read back byte for byte.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{Place, code, stderr, stdout};

/// An answered page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// What it answers.
    pub(crate) query: Value,
    /// Its events in order.
    pub(crate) ids: Vec<i64>,
    /// What it says of their number.
    pub(crate) count: u64,
    /// The digest of its events as the contract defines it.
    pub(crate) sha256: String,
    /// The cursor of the next page.
    pub(crate) next: Option<String>,
}

impl Answer {
    /// Reads one line of `page`.
    pub(crate) fn read(line: &str) -> Self {
        type Object = BTreeMap<String, Box<RawValue>>;
        let page: Object = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let events: Vec<Object> = serde_json::from_str(page["events"].get()).unwrap();
        let mut digest = Sha256::new();
        let mut ids = Vec::new();
        for event in &events {
            for number in ["id", "created_at", "actor_id"] {
                digest.update(event[number].get());
                digest.update("|");
            }
            for text in ["action", "resource_type", "resource_id"] {
                digest.update(serde_json::from_str::<String>(event[text].get()).unwrap());
                digest.update("|");
            }
            digest.update(event["payload"].get());
            digest.update("\n");
            ids.push(event["id"].get().parse().unwrap());
        }
        let sha256 = digest.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Self {
            query: serde_json::from_str(page["query"].get()).unwrap(),
            ids,
            count: page["count"].get().parse().unwrap(),
            sha256,
            next: serde_json::from_str(page["next"].get()).unwrap(),
        }
    }

    /// Whether the page holds as many events as were asked for.
    pub(crate) fn is_full(&self) -> bool {
        self.query["page_size"] == self.ids.len()
    }
}

/// Runs `page` with these arguments, which must answer, and reads every line.
pub(crate) fn pages(place: &Place, data: &Path, args: &[&str]) -> Vec<Answer> {
    let output = run_unhurried(place, data, &[&["page"], args].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.lines().all(|line| line.starts_with("keyhole: the page is empty: ")), "{said}");
    stdout(&output).lines().map(Answer::read).collect()
}

/// Runs the binary; again where a time limit struck, which on a machine that is busy with other tests
/// strikes an honest strategy too.
pub(crate) fn run_unhurried(place: &Place, data: &Path, args: &[&str]) -> Output {
    let over_time = ["guest_time", "log_lock", "wall_time"].map(|limit| format!("over the limit {limit}"));
    let mut output = place.run(data, args);
    for _ in 0..4 {
        let said = stderr(&output);
        let is_late =
            over_time.iter().any(|words| said.contains(words)) || said.contains("the machine was too busy");
        if !is_late {
            break;
        }
        output = place.run(data, args);
    }
    output
}

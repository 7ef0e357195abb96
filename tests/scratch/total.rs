//! `scratch.total`: all scratch of a cache folder keeps to it together, whoever fills it. What was not used for
//! longest goes first, and what somebody uses never goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::kept::{listed, log};
use super::page;
use crate::support::writer::{Conversation, Model, Writer, ids, whole_log};
use crate::support::{Place, code, error_of, stderr, stdout};

/// Two logs whose scratch is as large as the total, and a small one, whose scratch is not there yet.
struct Full {
    place: Place,
    first: PathBuf,
    second: PathBuf,
    small: PathBuf,
    policy: PathBuf,
}

fn full() -> Full {
    let place = Place::new();
    let (first, second) = (log(&place, "first", 20_000), log(&place, "second", 20_000));
    let small = log(&place, "small", 5_000);
    page(&place, &first, 1);
    page(&place, &second, 1);
    let total = bytes(&place, &first) + bytes(&place, &second);
    let policy = place.path("keyhole.toml");
    let full = Full { place, first, second, small, policy };
    full.limit(total);
    full
}

impl Full {
    /// Has the policy bound all scratch so.
    fn limit(&self, total: u64) {
        let text = format!("version = 1\n[scratch]\nquota = {total}\ntotal = {total}\n");
        fs::write(&self.policy, text).unwrap();
    }

    /// Asks for a page of a log under the policy.
    fn page(&self, data: &Path) -> Output {
        self.place.run(data, &["--json", "page", "keyset", "--policy", self.policy.to_str().unwrap()])
    }

    fn assert_page(&self, data: &Path) {
        let output = self.page(data);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(ids(&answer), Model::of(data).ids(&whole_log(1, 50), i64::MAX));
    }

    /// Which of first, second and small has scratch.
    fn kept(&self) -> [bool; 3] {
        [&self.first, &self.second, &self.small].map(|data| listed(&self.place, data).is_object())
    }

    /// Has the scratch of a log last used so long ago.
    fn age(&self, data: &Path, hours: u64) {
        let folder = listed(&self.place, data)["folder"].as_str().unwrap().to_owned();
        let about = fs::File::open(self.place.path("cache/scratch").join(folder).join("about.json")).unwrap();
        about.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
    }
}

fn bytes(place: &Place, data: &Path) -> u64 {
    listed(place, data)["bytes"].as_u64().unwrap()
}

#[test]
fn what_was_not_used_for_longest_goes_first_and_a_page_is_a_use() {
    let full = full();
    full.age(&full.first, 9);
    full.age(&full.second, 5);
    full.assert_page(&full.first);
    assert_eq!(full.kept(), [true, true, false]);
    full.assert_page(&full.small);
    assert_eq!(full.kept(), [true, false, true]);
    full.assert_page(&full.second);
    assert_eq!(full.kept(), [false, true, true], "the first is now the one that was not used for longest");
}

#[test]
fn one_that_says_nothing_of_itself_counts_and_goes_too() {
    let full = full();
    for data in [&full.first, &full.second] {
        full.age(data, 5);
    }
    let folder =
        full.place.path("cache/scratch").join(listed(&full.place, &full.first)["folder"].as_str().unwrap());
    for entry in fs::read_dir(&folder).unwrap() {
        let file = fs::File::open(entry.unwrap().path()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(9)).unwrap();
    }
    fs::remove_file(folder.join("about.json")).unwrap();
    fs::remove_file(folder.join("in-use")).unwrap();
    full.assert_page(&full.small);
    assert!(!folder.exists());
    assert_eq!(full.kept(), [false, true, true]);
}

#[test]
fn one_in_use_never_goes_and_the_error_names_the_total() {
    let full = full();
    full.age(&full.first, 9);
    full.age(&full.second, 5);
    let mut first = Conversation::start(&full.place, &full.first, "keyset");
    first.ask(&whole_log(1, 50));
    full.age(&full.first, 9);
    let mut second = Conversation::start(&full.place, &full.second, "keyset");
    second.ask(&whole_log(1, 50));

    let refused = full.page(&full.small);
    let error = error_of(&refused);
    assert_eq!((code(&refused), error["code"].as_str()), (1, Some("scratch-full")), "{error}");
    for (field, words) in [("message", "scratch.total"), ("fix", "raise scratch.total")] {
        assert!(error[field].as_str().unwrap().contains(words), "{error}");
    }
    assert_eq!((full.kept()[0], full.kept()[1]), (true, true));
    for (conversation, data) in [(&mut first, &full.first), (&mut second, &full.second)] {
        let query = whole_log(9, 50);
        assert_eq!(ids(&conversation.ask(&query)), Model::of(data).ids(&query, i64::MAX));
    }

    // The one that nobody uses goes, although it was used later; killed, a process holds nothing.
    drop(second);
    full.assert_page(&full.small);
    assert_eq!(full.kept(), [true, false, true]);
    let query = whole_log(11, 50);
    assert_eq!(ids(&first.ask(&query)), Model::of(&full.first).ids(&query, i64::MAX));
    first.end();
}

#[test]
fn a_scratch_that_grows_by_refreshes_makes_room_too() {
    let full = full();
    page(&full.place, &full.small, 1);
    full.age(&full.first, 9);
    full.age(&full.second, 5);
    let all = [&full.first, &full.second, &full.small].map(|data| bytes(&full.place, data));
    full.limit(all.iter().sum::<u64>() + 4096);
    // Less at a time than a refresh writes between two measurements.
    for _ in 0..3 {
        Writer::start(&full.small).append(1_500);
        full.assert_page(&full.small);
    }
    assert_eq!(full.kept(), [false, true, true]);
}

#[test]
fn a_total_below_the_quota_is_refused_by_name() {
    let full = full();
    fs::write(&full.policy, "version = 1\n[scratch]\nquota = \"8MiB\"\ntotal = \"4MiB\"\n").unwrap();
    let refused = full.page(&full.small);
    assert_eq!(code(&refused), 2);
    let error = error_of(&refused);
    assert_eq!(error["code"], "bad-policy");
    assert!(
        error["message"].as_str().unwrap().contains("scratch.quota is more than scratch.total"),
        "{error}"
    );
    assert_eq!(full.kept(), [true, true, false], "nothing was let go for it");
}

#[test]
fn without_a_policy_the_default_total_lets_all_stay() {
    let full = full();
    page(&full.place, &full.small, 1);
    assert_eq!(full.kept(), [true, true, true]);
}

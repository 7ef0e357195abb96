//! `kill -9` at any moment: the log's two files are as they were, and the next run works.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::writer::{Conversation, Model};
use crate::support::{Place, code, digest, stderr};

/// Starts a run and kills it after a while. False if it had ended by then.
fn killed_after(command: &mut Command, moment: Duration) -> bool {
    let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(moment);
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

/// So many moments, spread over the time that a whole run takes and shifted against each other.
fn moments(whole: Duration, count: u32) -> impl Iterator<Item = Duration> {
    (0..count).map(move |moment| whole * (2 * moment + 1) / (2 * count))
}

fn timed(run: impl FnOnce()) -> Duration {
    let began = Instant::now();
    run();
    began.elapsed()
}

fn digests(data: &Path) -> [String; 2] {
    ["audit.db", "payloads.jsonl"].map(|file| digest(&data.join(file)))
}

fn assert_right_pages(place: &Place, data: &Path, model: &Model) {
    let mut keyset = Conversation::start(place, data, "keyset");
    keyset.assert_pages(model, [1, 77, 900]);
    keyset.end();
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_first_fill_that_is_killed_at_any_moment_leaves_the_log_and_the_next_run_fills() {
    let place = Place::new();
    let data = place.path("large");
    let seeded = place.run(&data, &["seed", "--rows", "200000", "--short-payloads"]);
    assert_eq!(code(&seeded), 0, "{}", stderr(&seeded));
    let (before, model) = (digests(&data), Model::of(&data));
    let page = |place: &Place| {
        let mut command = place.keyhole();
        command.args(["page", "keyset", "--data"]).arg(&data);
        command
    };
    let whole = timed(|| assert!(page(&place).stdout(Stdio::null()).status().unwrap().success()));
    let mut struck = 0;
    for moment in moments(whole, 5) {
        std::fs::remove_dir_all(place.path("cache")).unwrap();
        struck += u32::from(killed_after(&mut page(&place), moment));
        assert_eq!(digests(&data), before);
        assert_right_pages(&place, &data, &model);
    }
    assert!(struck > 0, "no run was killed before it had ended");
    assert_eq!(names(&data), ["audit.db", "payloads.jsonl"]);
}

#[test]
fn a_proof_or_a_demo_that_is_killed_at_any_moment_leaves_the_log_and_the_next_run_works() {
    let place = Place::new();
    let data = place.own_data();
    let (before, model) = (digests(&data), Model::of(&data));
    for verb in [["verify", "keyset"], ["demo", "--quiet"]] {
        let run = || {
            let mut command = place.keyhole();
            command
                .args(verb)
                .args(["--requests", "20", "--data"])
                .arg(&data)
                .env("TMPDIR", temporary(&place));
            command
        };
        for milliseconds in [40, 300, 1_500, 3_000] {
            killed_after(&mut run(), Duration::from_millis(milliseconds));
            assert_eq!(digests(&data), before, "{verb:?}");
            assert_right_pages(&place, &data, &model);
        }
    }
    assert_eq!(names(&data), ["audit.db", "payloads.jsonl"]);
}

/// Where copies of the log go that a killed run cannot remove: they go with the test.
fn temporary(place: &Place) -> PathBuf {
    let folder = place.path("temporary");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_seed_that_is_killed_at_any_moment_leaves_no_part_of_a_log_and_the_next_one_starts_anew_and_says_so() {
    let place = Place::new();
    let seed = |data: &Path| {
        let mut command = place.keyhole();
        command.args(["seed", "--rows", "150000", "--short-payloads", "--data"]).arg(data);
        command
    };
    let whole_data = place.path("whole");
    let whole = timed(|| assert!(seed(&whole_data).stdout(Stdio::null()).status().unwrap().success()));
    let expected = digests(&whole_data);
    let (mut struck, mut said) = (0, 0);
    for moment in moments(whole, 4).chain(drawn(whole, 4)) {
        let data = place.path("data");
        // Killed twice in the same folder: what two seeds left is one thing to remove.
        for moment in [moment, moment / 2] {
            struck += u32::from(killed_after(&mut seed(&data), moment));
        }
        if data.join("audit.db").exists() {
            assert_eq!(digests(&data), expected, "audit.db is there, so the log is whole");
        } else {
            let left = names(&data);
            let next = seed(&data).output().unwrap();
            assert_eq!(code(&next), 0, "{}", stderr(&next));
            assert_eq!(
                stderr(&next).contains("is made anew"),
                !left.is_empty(),
                "{left:?}: {}",
                stderr(&next)
            );
            said += u32::from(!left.is_empty());
            assert_eq!(digests(&data), expected);
            assert_eq!(names(&data), ["audit.db", "payloads.jsonl"], "what was left is gone");
        }
        std::fs::remove_dir_all(&data).unwrap();
    }
    assert!(struck > 0, "no seed was killed before it had ended");
    assert!(said > 0, "no killed seed left anything");
}

/// So many moments anywhere in the time that a whole run takes, other ones each time.
fn drawn(whole: Duration, count: u32) -> impl Iterator<Item = Duration> {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut random = keyhole_log::dataset::Random::new(u64::from(clock.subsec_nanos()));
    (0..count).map(move |_| whole * u32::try_from(random.below(1000)).unwrap() / 1000)
}

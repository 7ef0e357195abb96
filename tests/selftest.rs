//! `selftest` plays the attacks on this machine, says which limit stopped each, and leaves nothing behind.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Place, code, stderr, stdout};

fn command(place: &Place, temporary: &Path, args: &[&str]) -> Command {
    std::fs::create_dir_all(temporary).unwrap();
    let mut command = place.keyhole();
    command.arg("selftest").args(args).env("TMPDIR", temporary);
    command
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn every_limit_strikes_and_nothing_is_left_behind() {
    let place = Place::new();
    let temporary = place.path("tmp");
    let ran = command(&place, &temporary, &["--quick", "--json"]).output().unwrap();
    let report: Value = serde_json::from_str(&stdout(&ran)).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let failed: Vec<&Value> = rows.iter().filter(|row| row["fired"] != true).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!((code(&ran), &report["sound"]), (0, &Value::Bool(true)), "{report:#}");
    assert_eq!(report["uncovered"], Value::Array(Vec::new()));
    assert!(rows.len() > 30, "{}", rows.len());
    assert_eq!(entries(&temporary), 0);
    println!("{} attacks in {} s", rows.len(), report["seconds"]);
}

#[test]
fn the_table_names_limit_attack_observation_and_time() {
    let place = Place::new();
    let ran = command(&place, &place.path("tmp"), &["--quick"]).output().unwrap();
    assert_eq!(code(&ran), 0, "{}{}", stdout(&ran), stderr(&ran));
    let text = stdout(&ran);
    for words in ["guest_time", "spin-in-page", "guest-time", "as expected", " ms", "sound: every limit"] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
}

#[test]
fn an_interrupted_selftest_ends_with_130_and_leaves_nothing_behind() {
    let place = Place::new();
    let temporary = place.path("tmp");
    let child =
        command(&place, &temporary, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while entries(&temporary) == 0 {
        assert!(began.elapsed() < Duration::from_mins(2), "it made no log");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((code(&ended), stdout(&ended)), (130, String::new()), "{}", stderr(&ended));
    assert_eq!(entries(&temporary), 0, "the stage was left behind");
}

//! The screens in `docs/audits` are what the program prints, but for what changes from run to run.
//!
//! Each is a real audit on the contract's data set, so that together they take a minute: they are not among
//! the tests that run by default. With `KEYHOLE_BLESS=1` a screen whose stable part changed is written anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Place, code, data, guest, stderr, stdout};

/// The screens: a strategy, and the exit code of its audit.
const SCREENS: [(&str, i32); 7] = [
    ("baseline", 0),
    ("keyset", 0),
    ("early-end", 1),
    ("attach", 1),
    ("cross-join", 1),
    ("wakes-at-high-water", 0),
    ("wasi-environment", 1),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/audits")
}

#[test]
#[ignore = "seven audits of the contract's data set: half a minute on an idle machine"]
fn the_screens_in_the_documentation_are_what_the_program_prints() {
    let mut wrong = Vec::new();
    // Two at a time: an audit is mostly one thread's work.
    let (first, second) = SCREENS.split_at(SCREENS.len() / 2);
    let all = |screens: &[(&'static str, i32)]| -> Vec<_> {
        screens.iter().map(|&(strategy, exit)| (strategy, audited(strategy, exit))).collect()
    };
    let printed = std::thread::scope(|scope| {
        let beside = scope.spawn(|| all(second));
        let mut printed = all(first);
        printed.extend(beside.join().unwrap());
        printed
    });
    for (strategy, printed) in printed {
        let path = folder().join(format!("{strategy}.txt"));
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let (now, before) = (stable(&printed, strategy), stable(&written, strategy));
        if now == before {
            continue;
        }
        if std::env::var_os("KEYHOLE_BLESS").is_some() {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&path, &printed).unwrap();
            continue;
        }
        let nothing = || String::from("(nothing)");
        let longest = now.len().max(before.len());
        let at = (0..longest).find(|&at| now.get(at) != before.get(at)).unwrap();
        wrong.push(format!(
            "{strategy}.txt, stable line {}:\n  it says  {}\n  but now  {}",
            at + 1,
            before.get(at).cloned().unwrap_or_else(nothing),
            now.get(at).cloned().unwrap_or_else(nothing)
        ));
    }
    assert!(wrong.is_empty(), "run this test with KEYHOLE_BLESS=1:\n{}", wrong.join("\n"));
}

#[test]
fn every_screen_stands_in_the_index_and_nothing_else_does() {
    let index = std::fs::read_to_string(folder().join("../audits.md")).unwrap();
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut named: Vec<String> = SCREENS.iter().map(|(strategy, _)| format!("{strategy}.txt")).collect();
    files.sort();
    named.sort();
    assert_eq!(files, named);
    for file in named {
        assert!(index.contains(&format!("(audits/{file})")), "{file} is not in docs/audits.md");
    }
}

/// Audits a strategy as an operator would, in a folder with the log and the component.
fn audited(strategy: &str, exit: i32) -> String {
    let place = Place::new();
    let mut name = strategy.to_owned();
    if !keyhole_runtime::registry::BUILT_IN.contains(&strategy) {
        name = format!("./{strategy}.wasm");
        std::fs::copy(guest(strategy), place.path(&name)).unwrap();
    }
    std::os::unix::fs::symlink(data(), place.path("data")).unwrap();
    let mut command: Command = place.keyhole();
    // As long as it takes, so that a busy machine compares as many pages.
    command.args([
        "--quiet",
        "audit",
        &name,
        "--requests",
        "100",
        "--seconds",
        "600",
        "--priority",
        "normal",
    ]);
    // What is over a limit of time depends on the machine: these are over others, or over none.
    for limit in ["GUEST_TIME", "WALL_TIME", "LOG_LOCK"] {
        command.env(format!("KEYHOLE_LIMITS_{limit}"), "1m");
    }
    let ran = command.current_dir(place.path(".")).output().unwrap();
    assert_eq!(code(&ran), exit, "{strategy}: {}{}", stdout(&ran), stderr(&ran));
    stdout(&ran)
}

/// The lines without what may change from one run to the next: times, and what is counted of all requests,
/// of which a busy machine asks some twice; and of strategies that are built for the tests, which change, their
/// digests and their fuel. Without the width of columns, too.
fn stable(screen: &str, strategy: &str) -> Vec<String> {
    let is_test = !keyhole_runtime::registry::BUILT_IN.contains(&strategy);
    screen.lines().map(|line| stable_line(line, is_test)).filter(|line| !line.is_empty()).collect()
}

fn stable_line(line: &str, is_test: bool) -> String {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let starts = |with: &[&str]| words.starts_with(with);
    let counts = starts(&["requests"])
        || starts(&["host", "calls"])
        || starts(&["payloads"])
        || starts(&["scratch", "filled"])
        || starts(&["denied"])
        || starts(&["Its", "statements"])
        || words.get(1).is_some_and(|word| *word == "runs,")
        || starts(&["-", "copies-payloads"])
        || starts(&["-", "✗", "denied-sql:"]);
    let times = starts(&["log", "locked"]) || starts(&["its", "own", "code"]);
    let is_row = ["all", "actor", "action", "week"].iter().any(|which| starts(&[which]));
    if is_row {
        words = without_time(&words);
        if is_test && words.len() >= 8 {
            words.remove(words.len() - 1);
            words.remove(4);
        }
    }
    if starts_with(&words, &["Took"]) || times {
        words.truncate(3);
        words.retain(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
    }
    if is_test && (starts_with(&words, &["digest"]) || starts_with(&words, &["size"])) {
        words.truncate(1);
    }
    if words.iter().all(|word| word.bytes().all(|byte| byte == b'-')) {
        return String::new();
    }
    let text = words.join(" ");
    if counts { text.chars().filter(|c| !c.is_ascii_digit() && *c != ',').collect() } else { text }
}

fn starts_with(words: &[&str], with: &[&str]) -> bool {
    words.starts_with(with)
}

/// A row of the table of costs without its time: a number and its unit.
fn without_time<'a>(words: &[&'a str]) -> Vec<&'a str> {
    match words.iter().position(|word| ["us", "ms", "s"].contains(word)) {
        Some(at) if at > 0 => [&words[..at - 1], &words[at + 1..]].concat(),
        _ => words.to_vec(),
    }
}

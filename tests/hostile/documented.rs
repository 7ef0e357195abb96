//! `docs/attacks.md` is the table of attacks as the program has it, and names of every other attack the test
//! that shows what becomes of it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use keyhole_lab::selftest::cases::{self, Group, Seen};

use crate::support::{code, stderr, stdout};

const PAGE: &str = include_str!("../../docs/attacks.md");

const GROUPS: [(Group, &str); 9] = [
    (Group::Time, "Time"),
    (Group::Memory, "Memory and stack"),
    (Group::Returns, "What it returns"),
    (Group::Handles, "Handles"),
    (Group::Sql, "SQL"),
    (Group::Scratch, "Tables of its own"),
    (Group::Behaviour, "Behaviour that depends"),
    (Group::Imports, "WASI and imports"),
    (Group::Other, "What the others are compared with, and what audits look for"),
];

/// Above this heading the page is written from the table; below it, by hand.
const BY_HAND: &str = "# Attacks that are no strategy\n";

/// The table of attacks as Markdown.
fn markdown() -> String {
    let mut text = String::from(
        "# Strategies that attack\n\nWritten from the table in `host/lab/src/selftest/cases.rs`, which \
         `keyhole selftest` plays too: with `KEYHOLE_BLESS=1` its test, `hostile::documented`, writes these \
         rows anew.\nEach row is the test `hostile::attacks::each::NAME`, with underscores.\n",
    );
    for (group, heading) in GROUPS {
        let _ =
            write!(text, "\n## {heading}\n\n| strategy | what it does | what is observed |\n|---|---|---|\n");
        for case in cases::all().filter(|case| case.group == group) {
            let expected = case.expected.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>();
            let observed = match case.seen {
                Seen::Refused => expected.join(" or "),
                Seen::Denied => format!("{}, and the right page", expected.join(" and ")),
                Seen::Compared => format!("{} by a comparison alone", expected.join(" or ")),
                Seen::Harmless => "the right page".to_owned(),
            };
            let _ = writeln!(text, "| `{}` | {} | {observed} |", case.name, case.what);
        }
    }
    text
}

#[test]
fn the_page_of_attacks_is_the_table() {
    let (_, by_hand) = PAGE.split_once(BY_HAND).unwrap();
    let whole = format!("{}\n{BY_HAND}{by_hand}", markdown());
    if std::env::var_os("KEYHOLE_BLESS").is_some() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/attacks.md");
        std::fs::write(page, &whole).unwrap();
        return;
    }
    assert!(PAGE == whole, "docs/attacks.md is old: run this test with KEYHOLE_BLESS=1");
}

/// The tests that this binary runs, by its own account, without those that it leaves out.
fn tests() -> BTreeSet<String> {
    let list = |options: &[&str]| {
        let ran = Command::new(std::env::current_exe().unwrap())
            .args(["--list", "--format", "terse"])
            .args(options)
            .output()
            .unwrap();
        assert_eq!(code(&ran), 0, "{}", stderr(&ran));
        let said = stdout(&ran);
        let names = said.lines().filter_map(|line| line.strip_suffix(": test"));
        names.map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let ignored = list(&["--ignored"]);
    list(&[]).into_iter().filter(|test| !ignored.contains(test)).collect()
}

#[test]
fn every_attack_that_is_no_strategy_has_its_test() {
    let (_, by_hand) = PAGE.split_once(BY_HAND).unwrap();
    let named: Vec<&str> = by_hand
        .lines()
        .filter_map(|line| line.strip_suffix("` |")?.rsplit_once("| `"))
        .map(|(_, test)| test)
        .collect();
    assert!(named.len() > 30, "{named:?}");
    let tests = tests();
    let missing: Vec<&str> = named.into_iter().filter(|&test| !tests.contains(test)).collect();
    assert!(missing.is_empty(), "no test that runs: {missing:?}");
}

//! Every attack of `tests/data/hostile.txt` has its test, and every strategy of the table is in that list.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use keyhole::selftest::cases::{self, Group};

use crate::support::{code, stderr, stdout};

const LIST: &str = include_str!("data/hostile.txt");

/// The names with the place of their test, where that has another name.
fn listed() -> BTreeMap<&'static str, Option<&'static str>> {
    let lines = LIST.lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '['])).collect();
    let entry = |line: &&'static str| match line.split_once(" = ") {
        Some((name, test)) => (name, Some(test)),
        None => (*line, None),
    };
    let listed: BTreeMap<_, _> = lines.iter().map(entry).collect();
    assert_eq!(listed.len(), lines.len(), "a name stands twice");
    listed
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
fn every_name_has_its_test() {
    let tests = tests();
    let missing: Vec<&str> = listed()
        .into_iter()
        .filter(|(name, test)| {
            let own = name.replace('-', "_");
            let places = match test {
                Some(test) => vec![(*test).to_owned()],
                None => vec![format!("hostile::attacks::{own}"), format!("hostile_scratch::{own}")],
            };
            !places.iter().any(|place| tests.contains(place))
        })
        .map(|(name, _)| name)
        .collect();
    assert!(missing.is_empty(), "without a test that runs: {missing:?}");
}

/// A strategy has its file, since the table and the files have the same names, and its observation.
#[test]
fn every_name_of_a_strategy_has_its_case_and_every_attack_of_the_table_is_named() {
    let named: BTreeSet<&str> =
        listed().into_iter().filter(|(_, test)| test.is_none()).map(|(name, _)| name).collect();
    let attacks: BTreeSet<&str> =
        cases::all().filter(|case| case.group != Group::Other).map(|case| case.name).collect();
    assert_eq!(named, attacks);
}

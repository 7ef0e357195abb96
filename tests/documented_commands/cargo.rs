//! What a documented command of cargo names is there: packages, targets, and tests that its filter finds. A filter
//! that finds no test passes without a word.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::reading::words;
use crate::documents::root;
use crate::support::stdout;

/// The tests of this binary by their names; with `--ignored`, those that are left out usually.
pub(super) fn tests(options: &[&str]) -> Vec<String> {
    let listed = Command::new(std::env::current_exe().unwrap()).arg("--list").args(options).output().unwrap();
    stdout(&listed).lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// What is wrong with a command; of another program's, nothing.
pub(super) fn mistake(command: &str) -> Option<String> {
    let mut words = words(command).skip_while(|word| *word != "cargo").skip(1);
    let verb = words.next()?;
    let (mut packages, mut targets, mut filters) = (Vec::new(), Vec::new(), Vec::new());
    let mut ignored = false;
    while let Some(word) = words.next() {
        match word {
            "-p" => packages.push(words.next()?),
            "--test" | "--bench" => targets.push(words.next()?),
            "--ignored" => ignored = true,
            _ if word.starts_with('-') => {}
            _ => filters.push(word),
        }
    }
    let mut folders = Vec::new();
    for package in packages {
        match members().into_iter().find(|(name, _)| name == package) {
            Some((_, folder)) => folders.push(folder),
            None => return Some(format!("there is no package {package}")),
        }
    }
    let has = |target: &str| {
        let named = format!("name = \"{target}\"");
        members().iter().any(|(_, folder)| manifest(folder).contains(&named))
    };
    if let Some(target) = targets.iter().find(|target| !has(target)) {
        return Some(format!("there is no target {target}"));
    }
    if verb != "test" {
        return None;
    }
    let found = |filter: &str| {
        if targets.contains(&"all") {
            tests(if ignored { &["--ignored"] } else { &[] }).iter().any(|test| test.contains(filter))
        } else {
            folders.iter().any(|folder| {
                has_tests(&folder.join("src").join(filter.trim_end_matches("::").replace("::", "/")))
            })
        }
    };
    let empty = filters.into_iter().find(|filter| !found(filter))?;
    Some(format!("no test is found by {empty}"))
}

/// The workspace's packages, each with its folder.
fn members() -> Vec<(String, PathBuf)> {
    let workspace = manifest(&root());
    let folders = workspace.split('"').skip(1).step_by(2).map(|name| root().join(name));
    let named = folders.filter_map(|folder| {
        let manifest = manifest(&folder);
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))?;
        Some((name.to_owned(), folder))
    });
    named.collect()
}

/// A folder's manifest; empty where it has none.
fn manifest(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default()
}

/// Whether a module, by its path without ending, or one below it, has a test.
fn has_tests(module: &Path) -> bool {
    let has = |file: &Path| std::fs::read_to_string(file).is_ok_and(|source| source.contains("#[test]"));
    let below = std::fs::read_dir(module).into_iter().flatten().flatten();
    has(&module.with_extension("rs")) || below.into_iter().any(|entry| has(&entry.path()))
}

#[test]
fn what_a_command_of_cargo_names_and_is_not_there_is_said() {
    let said = |command| mistake(command).unwrap_or_default();
    assert_eq!(said("cargo build -p keyhole-log"), "");
    assert_eq!(said("cargo build -p keyhole-logs"), "there is no package keyhole-logs");
    assert_eq!(said("A=1 cargo test --test al -- x"), "there is no target al");
    assert_eq!(said("cargo test -p keyhole-log error::"), "");
    assert_eq!(said("cargo test -p keyhole-log errors::"), "no test is found by errors::");
    assert_eq!(said("cargo test -p keyhole-tests --test all -- documented_commands::"), "");
    assert_eq!(said("cargo test --test all -- --ignored documented_c"), "no test is found by documented_c");
    assert_eq!(said("curl -p nothing"), "");
}

//! The baseline is frozen: `tests/data/baseline.sha256` holds the digest of each of its sources and of
//! each WIT file of its world.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::Place;

/// The WIT files that the baseline's world uses.
const WIT: [&str; 6] = ["diagnostics", "log", "paging", "payloads", "types", "world"];

#[test]
fn the_baseline_is_as_it_was_frozen() {
    let manifest = manifest();
    assert!(checks_out(root(), &manifest), "the baseline is frozen, but its sources changed");
}

#[test]
fn the_manifest_leaves_no_source_of_the_baseline_out() {
    let manifest = manifest();
    let listed: BTreeSet<String> = files(&manifest).into_iter().collect();
    let mut sources = BTreeSet::from(["guest-baseline/Cargo.toml".to_owned()]);
    sources.extend(WIT.map(|name| format!("wit/{name}.wit")));
    add_sources(&root().join("guest-baseline/src"), &mut sources);
    assert_eq!(listed, sources);
}

#[test]
fn a_flipped_byte_in_any_source_of_the_baseline_is_caught() {
    let manifest = manifest();
    let place = Place::new();
    let copy = place.path("copy");
    for file in files(&manifest) {
        std::fs::create_dir_all(copy.join(&file).parent().unwrap()).unwrap();
        std::fs::copy(root().join(&file), copy.join(&file)).unwrap();
    }
    assert!(checks_out(&copy, &manifest), "an unchanged copy checks out");
    for file in files(&manifest) {
        let honest = std::fs::read(copy.join(&file)).unwrap();
        let mut flipped = honest.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        std::fs::write(copy.join(&file), flipped).unwrap();
        assert!(!checks_out(&copy, &manifest), "a flipped byte of {file} went unnoticed");
        std::fs::write(copy.join(&file), honest).unwrap();
    }
    std::fs::remove_file(copy.join("wit/types.wit")).unwrap();
    assert!(!checks_out(&copy, &manifest), "a missing file went unnoticed");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn manifest() -> PathBuf {
    let path = root().join("tests/data/baseline.sha256");
    assert_ne!(path.metadata().unwrap().len(), 0, "{} is empty: the baseline is not frozen", path.display());
    path
}

fn checks_out(folder: &Path, manifest: &Path) -> bool {
    let check = Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet"])
        .arg(manifest)
        .current_dir(folder)
        .output()
        .expect("these tests need sha256sum");
    check.status.success()
}

/// The listed files, each by its path from the root.
fn files(manifest: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    text.lines().map(|line| line.split_once("  ").unwrap().1.to_owned()).collect()
}

fn add_sources(folder: &Path, sources: &mut BTreeSet<String>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_sources(&path, sources);
        } else {
            sources.insert(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

//! What the documents name is there: files, links, and the functions of each trip.

use std::fs;
use std::path::{Path, PathBuf};

/// What a path of this repository begins with, where a document names one.
const FOLDERS: [&str; 8] =
    ["host/", "tests/", "docs/", "fuzz/", "wit/", "guest-baseline/", "guest-keyset/", ".cargo/"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every document, with its path.
pub(crate) fn documents() -> Vec<(PathBuf, String)> {
    let in_folder = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let all = in_folder(root()).chain(in_folder(root().join("docs")));
    let documents = all.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The numbered steps of a document, each as one line.
fn steps(text: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with(|first: char| first.is_ascii_digit()) && line.contains(". ") {
            steps.push(line.to_owned());
        } else if let (Some(rest), Some(step)) = (line.strip_prefix("   "), steps.last_mut()) {
            step.push(' ');
            step.push_str(rest);
        }
    }
    steps
}

/// The functions that a step names of each file: those that follow `file.rs` and a colon.
fn named(step: &str) -> Vec<(&str, Vec<&str>)> {
    let pieces: Vec<&str> = step.split('`').collect();
    let mut named: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut follows = false;
    for pair in pieces.chunks_exact(2) {
        let between = pair[0].trim_matches(|each: char| each == '*' || each.is_whitespace());
        if Path::new(pair[1]).extension().is_some_and(|extension| extension == "rs") {
            named.push((pair[1], Vec::new()));
            follows = true;
        } else if let Some((_, functions)) = named.last_mut() {
            let expected: &[&str] = if functions.is_empty() { &[":"] } else { &["→", ",", "…"] };
            follows = follows && expected.contains(&between);
            if follows {
                functions.push(pair[1]);
            }
        }
    }
    named
}

#[test]
fn each_function_of_a_trip_is_in_the_file_that_is_named_with_it() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let mut count = 0;
    for step in steps(&text) {
        for (file, functions) in named(&step) {
            let source = fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("{file}: {step}"));
            assert!(!functions.is_empty(), "no function of {file} is named: {step}");
            for function in functions {
                let is_there = ["(", "<"].iter().any(|next| source.contains(&format!("fn {function}{next}")));
                assert!(is_there, "{file} has no function {function}: {step}");
                count += 1;
            }
        }
    }
    assert!(count > 100, "only {count} functions were found: are the steps written otherwise?");
}

#[test]
fn each_file_that_a_document_names_or_links_is_there() {
    for (path, text) in documents() {
        for name in text.split('`').skip(1).step_by(2) {
            let is_path = FOLDERS.iter().any(|folder| name.starts_with(folder));
            let is_plain = !name.contains(|each: char| each.is_whitespace() || "*…{<".contains(each));
            if is_path && is_plain {
                assert!(root().join(name).exists(), "{}: there is no {name}", path.display());
            }
        }
        for rest in text.split("](").skip(1) {
            let link = rest.split([')', '#']).next().unwrap();
            if !link.is_empty() && !link.contains("://") {
                let target = path.parent().unwrap().join(link);
                assert!(target.exists(), "{}: the link {link} leads nowhere", path.display());
            }
        }
    }
}

#[test]
fn a_step_is_read_as_it_is_meant() {
    let step = "3. `a.rs`: `f` → **`g`**, and `b.rs`: `h`: as `f` does, with `c`.";
    assert_eq!(named(step), [("a.rs", vec!["f", "g"]), ("b.rs", vec!["h"])]);
    assert_eq!(steps("1. one\n   more\n\n2. two"), ["1. one more", "2. two"]);
}

//! The commands that a document tells its reader to type.
//!
//! In a block that is labelled `sh` each line is one; in one labelled `console` each line after `$ `, and below it
//! stands what it answers. Elsewhere it is what begins with a program's name and goes on.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::documents::root;

/// What a fenced block may be. One without a label could hide a command.
const LABELS: [&str; 9] = ["sh", "console", "text", "json", "python", "sql", "toml", "wit", "rust"];

/// What begins a command, where something follows.
const PROGRAMS: &[&str] = &[
    "apt-get",
    "bash",
    "cargo",
    "curl",
    "docker",
    "env",
    "export",
    "git",
    "keyhole",
    "kill",
    "minisign",
    "openssl",
    "python",
    "python3",
    "rm",
    "rustup",
    "sha256sum",
    "sh",
    "sqlite3",
    "sudo",
    "systemctl",
    "valgrind",
    "wasm-tools",
];

/// A command of a document.
#[derive(Debug, PartialEq)]
pub(super) struct Command {
    /// Where it stands: `README.md:59`.
    pub(super) place: String,
    /// The command, without its comment, one space between two words.
    pub(super) text: String,
    /// What the document says that it answers; empty where it says nothing.
    pub(super) answer: String,
}

/// The commands of a document, in its order.
pub(super) fn commands(name: &str, document: &str) -> Vec<Command> {
    let mut found: Vec<(usize, Command)> = Vec::new();
    let mut add = |line: usize, text: &str| {
        let (place, text) = (format!("{name}:{line}"), without_comment(text));
        found.push((line, Command { place, text, answer: String::new() }));
    };
    let mut prose = String::new();
    let mut label = None;
    let mut answered = None;
    let mut answers: Vec<(usize, String)> = Vec::new();
    let mut lines = document.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        prose.push('\n');
        if let Some(fence) = line.strip_prefix("```") {
            label = if label.is_some() { None } else { Some(fence) };
            answered = None;
            let known = label.is_none_or(|label| LABELS.contains(&label));
            assert!(known, "{name}:{number}: a block begins with {line:?}: label it with one of {LABELS:?}");
            continue;
        }
        let Some(label) = label else {
            prose.push_str(line);
            continue;
        };
        let command = match (label, line.strip_prefix("$ ")) {
            ("sh", _) if line.trim().is_empty() || line.starts_with('#') => None,
            ("sh", _) => Some(line),
            (_, Some(command)) => Some(command),
            ("console", None) => None,
            _ => is_command(line).then_some(line),
        };
        let Some(first) = command else {
            if let Some(command) = answered.filter(|_| label == "console") {
                answers.push((command, format!("{line}\n")));
            }
            continue;
        };
        let mut whole = first.to_owned();
        while let Some(cut) = whole.strip_suffix('\\') {
            let (_, next) = lines.next().unwrap_or_else(|| panic!("{name}:{number}: it does not end"));
            prose.push('\n');
            whole = format!("{cut} {next}");
        }
        add(number, &whole);
        answered = Some(number);
    }
    let mut number = 1;
    for (index, piece) in prose.split('`').enumerate() {
        if index % 2 == 1 && is_command(piece) {
            // The prose has a line break before each of its lines.
            add(number - 1, piece);
        }
        number += piece.matches('\n').count();
    }
    for (line, text) in answers {
        let command = found.iter_mut().find(|(at, _)| *at == line);
        command.unwrap_or_else(|| panic!("{name}:{line}")).1.answer.push_str(&text);
    }
    found.sort_by_key(|(line, _)| *line);
    found.into_iter().map(|(_, command)| command).collect()
}

/// A command's words, from its program on: what is set for it alone is left out.
pub(super) fn words(command: &str) -> impl Iterator<Item = &str> {
    let is_setting = |word: &&str| {
        word.split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|each| each.is_ascii_uppercase() || each == '_'))
    };
    command.split_whitespace().skip_while(is_setting)
}

/// Whether a text is a command: a program with something behind it, or a program of this repository.
fn is_command(text: &str) -> bool {
    let mut words = words(text);
    let Some(program) = words.next() else { return false };
    let has_more = words.next().is_some();
    let is_file =
        |path: &Path| path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
    // What was built is named by its path now and then, and run by its name.
    let is_source = program.contains('/') && !program.contains("..") && !program.starts_with("target/");
    let is_script = is_source && is_file(&root().join(program));
    is_script || has_more && (PROGRAMS.contains(&program) || program.starts_with("./"))
}

/// The text with single spaces, up to a `#` between spaces.
fn without_comment(text: &str) -> String {
    text.split_whitespace().take_while(|word| *word != "#").collect::<Vec<_>>().join(" ")
}

#[test]
fn commands_are_found_where_they_stand() {
    let document = "See `keyhole`, `keyhole page\nx` and `A_B=1 cargo t`, not `./data` or `page y`; `./run_tests`.\n\n\
        ```sh\n# A remark.\ncargo build   # why\nsqlite x \\\n  y\n```\n\
        ```console\n$ keyhole z\n{\"a\":\n 1}\n$ keyhole w\n```\n\
        ```text\nwords\ncurl u\n```\n`rm -rf x`\n";
    let found = commands("d", document);
    let said: Vec<_> =
        found.iter().map(|it| (it.place.as_str(), it.text.as_str(), it.answer.as_str())).collect();
    assert_eq!(
        said,
        [
            ("d:1", "keyhole page x", ""),
            ("d:2", "A_B=1 cargo t", ""),
            ("d:2", "./run_tests", ""),
            ("d:6", "cargo build", ""),
            ("d:7", "sqlite x y", ""),
            ("d:11", "keyhole z", "{\"a\":\n 1}\n"),
            ("d:14", "keyhole w", ""),
            ("d:18", "curl u", ""),
            ("d:20", "rm -rf x", ""),
        ]
    );
}

#[test]
#[should_panic(expected = "d:3: a block begins with \"```\"")]
fn a_block_without_a_label_is_named() {
    commands("d", "one\n\n```\ntwo\n```\n");
}

//! Every command that a document tells its reader to type is run by a test, and does what the document says.

mod cargo;
mod home;
mod reading;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;

use serde_json::Value;

use crate::documents::{documents, root};
use crate::support::{Place, code, stderr, stdout};
use home::Home;
use reading::{Command, commands, words};
use rows::{Cover, How, MEANING, Row, Run, rows};

/// The commands of each document, by its name. What the changelog tells is of the versions that it tells of.
fn all_commands() -> BTreeMap<String, Vec<Command>> {
    let named = documents().into_iter().map(|(path, text)| {
        let (root, path) = (root().canonicalize().unwrap(), path.canonicalize().unwrap());
        (path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), text)
    });
    let read = named.filter(|(name, _)| name != "CHANGELOG.md");
    read.map(|(name, text)| (name.clone(), commands(&name, &text))).collect()
}

#[test]
fn each_documented_command_has_a_row_and_each_row_a_command() {
    let (all, rows) = (all_commands(), rows());
    let documented: Vec<&Command> = all.values().flatten().collect();
    assert!(documented.len() > 100, "only {} commands were found", documented.len());
    let named: BTreeSet<&str> = rows.iter().map(|row| row.command).collect();
    let untested: Vec<String> = documented
        .iter()
        .filter(|command| !named.contains(command.text.as_str()))
        .map(|command| format!("{}: {}", command.place, command.text))
        .collect();
    assert!(untested.is_empty(), "no row of rows.rs says how these are tested:\n{}", untested.join("\n"));
    assert_eq!(named.len(), rows.len(), "two rows are about the same command");
    for name in named {
        assert!(
            documented.iter().any(|command| command.text == name),
            "no document has this command: {name}"
        );
    }
}

#[test]
fn what_is_not_run_here_names_what_is_there_and_is_run_elsewhere() {
    let tests = cargo::tests(&[]);
    let mut verbs = Verbs::default();
    let mut mistakes = Vec::new();
    for Row { command, how } in rows() {
        mistakes.extend(cargo::mistake(command).map(|mistake| format!("{command}: {mistake}")));
        let How::Elsewhere(why, cover) = how else { continue };
        assert!(!why.is_empty(), "{command}");
        match cover {
            Cover::Test(name) if tests.iter().any(|test| test.starts_with(name)) => {}
            Cover::Test(name) => mistakes.push(format!("{command}: there is no test {name}")),
            Cover::Line(file, line) => {
                let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
                if !text.contains(line) {
                    mistakes.push(format!("{command}: {file} does not say {line:?}"));
                }
            }
        }
        if words(command).next() == Some("keyhole") {
            verbs.assert_known(command, words(command).skip(1));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn each_verb_that_a_document_names_has_the_options_that_are_named_with_it() {
    let mut verbs = Verbs::default();
    let names = verbs.below("");
    let mut count = 0;
    for (path, text) in documents() {
        for code in text.split('`').skip(1).step_by(2) {
            let goes_on = code.contains(' ') && !code.contains('\n');
            if goes_on && code.split(' ').next().is_some_and(|verb| names.iter().any(|name| name == verb)) {
                verbs.assert_known(&format!("{}: {code}", path.display()), code.split(' '));
                count += 1;
            }
        }
    }
    assert!(count > 15, "only {count} were found");
}

/// The verbs of the program, as its help has them.
#[derive(Default)]
struct Verbs {
    help: BTreeMap<String, String>,
}

impl Verbs {
    /// What the program says of a verb, which is several words where it lies below another one.
    fn help(&mut self, verb: &str) -> &str {
        self.help.entry(verb.to_owned()).or_insert_with(|| {
            let help = Place::new().keyhole().args(verb.split_whitespace()).arg("--help").output().unwrap();
            assert_eq!(code(&help), 0, "{verb}: {}", stderr(&help));
            stdout(&help)
        })
    }

    /// The verbs below one.
    fn below(&mut self, verb: &str) -> Vec<String> {
        let help = self.help(verb).split_once("Commands:\n").map(|(_, rest)| rest).unwrap_or_default();
        let lines = help.lines().take_while(|line| line.starts_with("  "));
        lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    }

    /// Asserts that each option behind a verb, which may lie below another one, is an option of it.
    fn assert_known<'a>(&mut self, place: &str, words: impl Iterator<Item = &'a str>) {
        let mut verb = String::new();
        for word in words {
            if let Some(option) = word.trim_matches(['[', ']']).strip_prefix("--") {
                let known = self.help(&verb).contains(&format!("--{option}"));
                assert!(known, "{place}: `keyhole {verb}` has no option --{option}");
            } else if self.below(&verb).iter().any(|name| name == word) {
                format!("{verb} {word}").trim_start().clone_into(&mut verb);
            }
        }
    }
}

#[test]
fn each_document_can_be_followed_from_its_first_command_to_its_last() {
    let (all, rows) = (all_commands(), rows());
    std::thread::scope(|scope| {
        for commands in all.values() {
            let rows = &rows;
            scope.spawn(move || follow(commands, rows));
        }
    });
}

/// Types the commands of one document that are run here, each once, in a home of their own.
fn follow(commands: &[Command], rows: &[Row]) {
    let mut home = None;
    let mut done = BTreeSet::new();
    for command in commands {
        let row = rows.iter().find(|row| row.command == command.text);
        let Some(Row { how: How::Run(run), .. }) = row else { continue };
        if !done.insert(&command.text) {
            continue;
        }
        let home = home.get_or_insert_with(|| {
            let home = Home::new();
            if commands.iter().any(|each| ["DATA", "LARGE"].iter().any(|log| each.text.contains(log))) {
                home.seed_for_measurements();
            }
            home
        });
        if !run.before.is_empty() {
            let ran = home.run(run.before);
            assert_eq!(code(&ran), 0, "{}: {}: {}", command.place, run.before, stderr(&ran));
        }
        if run.beside_service {
            home.serve("keyhole serve --listen 127.0.0.1:0 --admin admin.sock");
        } else {
            home.end_service();
        }
        for (index, line) in lines(&command.text, run).iter().enumerate() {
            if run.serves {
                home.serve(line);
                continue;
            }
            let began = std::time::Instant::now();
            let ran = home.run(line);
            println!("{}: {line}: {:.1} s", command.place, began.elapsed().as_secs_f64());
            assert_eq!(
                code(&ran),
                run.exits[index],
                "{}: {line}: {}{}",
                command.place,
                stdout(&ran),
                stderr(&ran)
            );
            if code(&ran) == 0 {
                let shown = stdout(&ran);
                assert!(
                    shown.contains(run.shows),
                    "{}: {line} shows no {:?}: {shown}",
                    command.place,
                    run.shows
                );
                assert_answers(command, &ran);
            }
        }
    }
    if let Some(mut home) = home {
        home.end_service();
    }
}

/// The lines that a command is run as: its words mean something; what stands in brackets is left out, then said.
fn lines(command: &str, run: &Run) -> Vec<String> {
    let meaning = |word: &str| {
        let of_all = run.meaning.iter().chain(&MEANING).find(|(stands, _)| *stands == word);
        of_all.map_or(word, |(_, thing)| *thing).to_owned()
    };
    let said = |with: bool| {
        let words = command.split(' ').filter(|word| with || !word.starts_with('['));
        let words = words.map(|word| meaning(word.trim_matches(['[', ']'])));
        let more = (!run.more.is_empty()).then(|| run.more.to_owned());
        words.chain(more).collect::<Vec<_>>().join(" ")
    };
    if command.contains('[') { vec![said(false), said(true)] } else { vec![said(true)] }
}

/// Asserts that a command answers what the document prints below it.
fn assert_answers(command: &Command, ran: &Output) {
    let place = &command.place;
    if command.answer.trim_start().starts_with('{') {
        let json = |text: &str| serde_json::from_str::<Value>(&text.replace('\n', " "));
        let (printed, answered) = (json(&command.answer), json(&stdout(ran)));
        let mut printed = printed.unwrap_or_else(|error| panic!("{place}: the answer is no JSON: {error}"));
        let mut answered = answered.unwrap_or_else(|error| panic!("{place}: {error}: {}", stdout(ran)));
        for answer in [&mut printed, &mut answered] {
            // Signed with a key of this home's own.
            if let Some(Value::String(cursor)) = answer.get_mut("next") {
                *cursor = cursor.chars().map(|_| '.').collect();
            }
        }
        assert_eq!(answered, printed, "{place}");
        return;
    }
    assert_lines(place, &command.answer, &stdout(ran));
}

/// Asserts that each printed line stands in what was answered, in this order, whatever its numbers.
fn assert_lines(place: &str, printed: &str, answered: &str) {
    let mut left = answered.lines().map(shape);
    for line in printed.lines().filter(|line| !line.trim().is_empty()) {
        let found = left.any(|answered| answered == shape(line));
        assert!(
            found,
            "{place}: the document prints {line:?}, which is not answered, or not there:\n{answered}"
        );
    }
}

/// A line with one `0` for each of its numbers, and one space for each gap.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for each in line.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        let goes_on = shape.ends_with('0') && (each.is_ascii_digit() || each == ',' || each == '.');
        if !goes_on {
            shape.push(if each.is_ascii_digit() { '0' } else { each });
        }
    }
    shape
}

#[test]
fn the_binary_alone_does_the_main_job_as_the_readme_shows_it() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, from) = readme.split_once("```text\n1. The log:").unwrap();
    let (shown, _) = from.split_once("\n```").unwrap();
    // The document shows a log that was made by this run, and is larger than a test's.
    let shown = format!("1. The log:{shown}").replace(", made now", "");
    let ran = Home::new().run("keyhole");
    assert_eq!(code(&ran), 0, "{}", stderr(&ran));
    let (said, script) = (stdout(&ran), std::fs::read_to_string(root().join("run_tests")).unwrap());
    // A comparison depends on the figures, but for its beginning; "ok" is of ./run_tests.
    let (figures, shown): (Vec<&str>, Vec<&str>) =
        shown.lines().partition(|line| line.starts_with("- ") || line.starts_with("ok: "));
    assert_lines("README.md", &shown.join("\n"), &said);
    assert!(figures.len() > 2, "{figures:?}");
    for line in figures {
        let is_shown = match line.strip_prefix("ok: ") {
            Some(step) => script.contains(&format!("step \"{step}\"")),
            None => said.contains(line.split(|each: char| each.is_ascii_digit()).next().unwrap()),
        };
        assert!(is_shown, "neither the program nor ./run_tests says {line:?}: {said}");
    }
    assert!(said.contains("The log in data was only read."), "{said}");
}

#[test]
fn lines_are_compared_by_their_shape() {
    assert_eq!(shape("  dense   1,000  0.062 % (95 %)"), "dense 0 0 % (0 %)");
    assert_lines("d", "b 1\n\nc", "a\nb   22\nc\n");
    let run = Run { meaning: vec![("NAME", "mine")], more: "--quick", ..Run::default() };
    assert_eq!(
        lines("keyhole x NAME [FILE] --by YOU", &run),
        ["keyhole x mine --by Ada --quick", "keyhole x mine FILE.wasm --by Ada --quick"]
    );
}

#[test]
#[should_panic(expected = "d: the document prints \"b 1\"")]
fn a_line_that_is_not_answered_is_named() {
    assert_lines("d", "b 1", "b x\n1\n");
}

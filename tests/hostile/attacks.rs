//! Each strategy of the table, by its name: the request fails, or is answered rightly, as the table says;
//! nothing of a wrong page is shown, and the host says what it observed.

use std::collections::BTreeSet;
use std::process::Output;

use keyhole_lab::selftest::cases::{self, Case, Group, Seen};
use keyhole_log::error::{Error, Lie, observed_denial};
use keyhole_log::model::{PageRequest, Pager, Position};
use serde_json::Value;

use super::host;
use crate::support::answers::Answer;
use crate::support::{Place, code, error_of, guest, stderr, stdout};

/// A test of each row.
mod each {
    macro_rules! tests {
        ($($group:ident { $($name:ident = $case:expr;)* })*) => {
            $($(
                #[test]
                fn $name() {
                    super::check(super::host::case(&stringify!($name).replace('_', "-")));
                }
            )*)*
        };
    }

    keyhole_lab::each_attack!(tests);
}

/// A number that was never a handle is none in any place where a handle is taken.
#[test]
fn each_forged_index_is_refused_wherever_it_is_used() {
    for (name, pages) in [("forged-index", 32), ("handle-after-drop", 3)] {
        let case = host::case(name);
        for page in 1..=pages {
            let request = PageRequest { position: Position::Page(page), ..case.request() };
            let error = host::worker(case).page(&request).unwrap_err();
            assert_eq!(error.observed(), "handle", "{name}, page {page}: {error}");
        }
    }
}

/// Time limits strike other strategies too where the machine is busy: those are tried again.
const TRIES: usize = 5;

/// Through the real binary where its options and its policy are enough; else as `selftest` plays it.
fn check(case: &Case) {
    if !case.is_plain() || matches!(case.group, Group::Scratch | Group::Behaviour) {
        let outcome = host::play(case);
        assert!(outcome.as_expected, "{}: expected {:?}, found {outcome:?}", case.name, case.expected);
        return;
    }
    let mut failure = String::new();
    for _ in 0..TRIES {
        match through_the_binary(case) {
            Ok(()) => return,
            Err(what) => failure = what,
        }
    }
    panic!("{}: {failure}", case.name);
}

fn through_the_binary(case: &Case) -> Result<(), String> {
    let place = Place::new();
    let queries = place.path("queries.jsonl");
    let line = serde_json::to_string(&case.request()).unwrap() + "\n";
    std::fs::write(&queries, line.repeat(case.times as usize)).unwrap();
    let queries = queries.to_str().unwrap();
    let instances = case.instances.to_string();
    let options = ["--instances", &instances, "--json", "--ledger", "--queries", queries];
    let page = |strategy: &str| place.run(host::log(), &[&["page", strategy], &options[..]].concat());

    let ran = page(guest(case.name).to_str().unwrap());
    let said = stderr(&ran);
    // Whatever the host says is JSON: a panic, or an abort, would say something else.
    if !(0..=1).contains(&code(&ran)) || !said.lines().all(|line| line.starts_with('{')) {
        return Err(format!("exit {}: {said}", code(&ran)));
    }
    if case.seen == Seen::Refused {
        return refused(case, &ran);
    }
    if code(&ran) != 0 {
        return Err(format!("exit {}: {said}", code(&ran)));
    }
    let answers = stdout(&ran);
    let last = answers.lines().last().unwrap();
    let right = Answer::read(last) == Answer::read(stdout(&page("native-keyset")).lines().last().unwrap());
    if right == (case.seen == Seen::Compared) {
        return Err(format!("right: {right}: {last}"));
    }
    let ledger: Value = serde_json::from_str(last).unwrap();
    let observed = denials(&ledger["ledger"]);
    // A file with many spellings meets other rules as well.
    let holds = match case.seen {
        Seen::Denied => case.expected.iter().all(|expected| observed.contains(*expected)),
        _ => observed.is_empty(),
    };
    if holds {
        Ok(())
    } else {
        let denials = &ledger["ledger"]["denials"];
        Err(format!("denied: {observed:?}, expected {:?}: {denials}", case.expected))
    }
}

/// The last of the requests failed and nothing of its page is shown.
fn refused(case: &Case, ran: &Output) -> Result<(), String> {
    let said = stderr(ran);
    let error = error_of(ran);
    expected(case, &observed(&error)).map_err(|what| format!("{what}: {said}"))?;
    assert_eq!(code(ran), 1, "{}: {said}", case.name);
    let message = error["message"].as_str().unwrap();
    let failed: usize = match message.strip_prefix("line ") {
        Some(rest) => rest.split(' ').next().unwrap().parse().unwrap(),
        None => 1,
    };
    assert_eq!(stdout(ran).lines().count(), failed - 1, "{}: {}", case.name, stdout(ran));
    Ok(())
}

fn expected(case: &Case, observed: &str) -> Result<(), String> {
    if case.expected.contains(&observed) {
        Ok(())
    } else {
        Err(format!("observed {observed}, expected {:?}", case.expected))
    }
}

/// What was denied, as an operator names it.
fn denials(ledger: &Value) -> BTreeSet<String> {
    let text = |denial: &Value, field: &str| denial[field].as_str().unwrap().to_owned();
    let denials = ledger["denials"].as_array().unwrap();
    denials.iter().map(|denial| observed_denial(&text(denial, "rule"), &text(denial, "object"))).collect()
}

/// The observation of an error that was printed: its text is read back into the host's own error.
fn observed(error: &Value) -> String {
    let message = error["message"].as_str().unwrap();
    let after = |words: &str| message.split_once(words).map(|(_, rest)| rest.to_owned());
    let word = |text: String| text.split([' ', ':', ')']).next().unwrap().to_owned();
    match error["code"].as_str().unwrap() {
        "budget" => {
            let limit = word(after("over the limit ").unwrap()).leak();
            Error::Budget { limit, allowed: 0 }.observed()
        }
        "denied" => {
            let rule = word(after("denied by rule ").unwrap()).leak();
            Error::Denied { rule, object: String::new() }.observed()
        }
        "lie" => format!("lie:{}", word(after("the strategy lied (").unwrap())),
        "refused" => {
            let reasons = vec![after(" cannot be loaded: ").unwrap()];
            Error::Refused { path: std::path::PathBuf::new(), reasons }.observed()
        }
        code => code.to_owned(),
    }
}

/// The names that the table and the host give to lies are the same.
#[test]
fn the_table_names_every_kind_of_lie() {
    let kinds = [
        Lie::InventedId,
        Lie::RepeatedEvent,
        Lie::SwappedNeighbours,
        Lie::WrongTieOrder,
        Lie::OutsideWindow,
        Lie::WrongActor,
        Lie::WrongAction,
        Lie::OneTooMany,
        Lie::DroppedEvent,
        Lie::EarlyEnd,
        Lie::NextPageInstead,
        Lie::StalePage,
    ];
    let named: BTreeSet<&str> =
        cases::all().filter(|case| case.group == Group::Returns).map(|case| case.name).collect();
    assert_eq!(named, kinds.into_iter().map(Lie::name).collect());
}

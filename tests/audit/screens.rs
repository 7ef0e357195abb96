//! The screen: the verdict first, then six questions, for strategies that run and for those refused.

use super::{a_log, named};
use crate::support::{code, stderr, stdout};

const QUESTIONS: [&str; 6] = [
    "Who is it?",
    "What may it touch?",
    "What did it touch?",
    "Is it right?",
    "What does it cost?",
    "What can this audit not tell?",
];

#[test]
fn the_verdict_comes_first_and_then_the_six_questions() {
    let (place, log) = a_log();
    for (strategy, exit, verdict) in [
        ("keyset", 0, "fit"),
        ("early-end", 1, "unfit"),
        ("exports-nothing", 1, "unfit"),
        ("attach", 1, "unfit"),
    ] {
        let path = named(strategy);
        let args =
            ["audit", &path, "--reference", "native-keyset", "--requests", "20", "--priority", "normal"];
        let ran = place.run(&log, &args);
        let said = stdout(&ran);
        assert_eq!(code(&ran), exit, "{strategy}: {said}{}", stderr(&ran));
        let mut at = said.find(verdict).unwrap_or_else(|| panic!("no verdict {verdict}: {said}"));
        for question in QUESTIONS {
            let next = said.find(question).unwrap_or_else(|| panic!("{question} is not in {said}"));
            assert!(at < next, "{question} stands too early in {said}");
            at = next;
        }
    }
}

#[test]
fn a_page_of_html_holds_the_same_and_no_markup_of_a_strategy() {
    let (place, log) = a_log();
    let file = place.path("audit.html");
    let (path, html) = (named("misleading-notes"), file.to_str().unwrap());
    let args = [
        "audit",
        &path,
        "--reference",
        "native-keyset",
        "--requests",
        "10",
        "--priority",
        "normal",
        "--html",
        html,
    ];
    let ran = place.run(&log, &args);
    let (said, page) = (stdout(&ran), std::fs::read_to_string(&file).unwrap());
    assert!(!said.contains('\u{1b}') && !page.contains('\u{1b}'), "{said}");
    for question in QUESTIONS {
        assert!(page.contains(question));
    }
}

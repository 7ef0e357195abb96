//! `hostile.txt` and `honest.txt`: every hostile text is refused for the reason that stands beside
//! it, every honest one runs.
//!
//! A heading `[attack] session` says whose statements follow: a page's, a refresh's (`refresh` executes,
//! `refresh-query` asks), each without virtual tables or, with `+fts5`, with full-text search granted.
//! In a hostile text `<<N*x>>` stands for x repeated N times, `\0` for a NUL.

use crate::session::Session;

use super::stage::{Stage, ending, numbers};

struct Text {
    place: String,
    session: String,
    expected: String,
    sql: String,
}

/// The texts of a list; `refused` where each has its reason before it.
fn texts(name: &str, list: &str, refused: bool) -> Vec<Text> {
    let (mut attack, mut session) = ("", "");
    let mut texts = Vec::new();
    for (number, line) in (1..).zip(list.lines()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some((heading, rest)) = line.strip_prefix('[').and_then(|line| line.split_once("] ")) {
            (attack, session) = (heading, rest.trim());
            continue;
        }
        let (expected, sql) = if refused { line.split_once(" | ").unwrap() } else { ("ok", line) };
        texts.push(Text {
            place: format!("{name}:{number} [{attack}]"),
            session: session.to_owned(),
            expected: expected.trim().to_owned(),
            sql: if refused { expanded(sql) } else { sql.to_owned() },
        });
    }
    texts
}

/// Repeats what is to be repeated.
fn expanded(sql: &str) -> String {
    let mut text = sql.replace("\\0", "\0");
    while let Some(open) = text.find("<<") {
        let close = open + text[open..].find(">>").unwrap();
        let (count, unit) = text[open + 2..close].split_once('*').unwrap();
        let repeated = unit.repeat(count.parse().unwrap());
        text.replace_range(open..close + 2, &repeated);
    }
    text
}

/// How many parameters SQLite finds in a text: the largest number, or one more for each plain `?`.
fn parameters(sql: &str) -> usize {
    sql.split('?').skip(1).fold(0, |most, after| {
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        after[..digits].parse().map_or(most + 1, |number: usize| most.max(number))
    })
}

/// Runs one text as a call of its own, and says how it ended.
fn run(session: &mut Session, text: &Text) -> String {
    let params = numbers(parameters(&text.sql).min(100));
    if text.session.starts_with("page") {
        session.begin().unwrap();
        let ended = ending(&session.query(&text.sql, &params));
        session.finish();
        return ended;
    }
    session.begin_refresh(0).unwrap();
    let ended = if text.session.starts_with("refresh-query") {
        ending(&session.query(&text.sql, &params))
    } else {
        ending(&session.execute(&text.sql, &params))
    };
    // The texts do not build on each other.
    session.finish();
    ended
}

/// What did not end as it should.
fn wrong_endings(texts: &[Text], stages: &[Stage; 2]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (stage, search) in stages.iter().zip([false, true]) {
        let (mut page, mut refresh) = (stage.page(), stage.refresh());
        for text in texts.iter().filter(|text| text.session.ends_with("+fts5") == search) {
            let session = if text.session.starts_with("page") { &mut page } else { &mut refresh };
            let ended = run(session, text);
            if ended != text.expected {
                let sql: String = text.sql.chars().take(120).collect();
                wrong.push(format!("{}: {} is {ended}, not {}", text.place, sql, text.expected));
            }
        }
    }
    wrong
}

fn check(name: &str, list: &str, refused: bool, at_least: usize) {
    let texts = texts(name, list, refused);
    assert!(texts.len() >= at_least, "{name} has {} texts", texts.len());
    let stages = [Stage::new(false), Stage::new(true)];
    // The texts must not need more stack than the smallest thread of a host has.
    let small = std::thread::Builder::new().stack_size(256 << 10);
    let wrong = std::thread::scope(|scope| {
        small.spawn_scoped(scope, || wrong_endings(&texts, &stages)).unwrap().join().unwrap()
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), texts.len(), wrong.join("\n"));
}

#[test]
fn every_hostile_text_is_refused_for_its_reason() {
    check("hostile.txt", include_str!("hostile.txt"), true, 250);
}

#[test]
fn every_honest_text_is_allowed_and_runs() {
    check("honest.txt", include_str!("honest.txt"), false, 200);
}

//! One event that cannot be shown ends no walk: a collector that does as `docs/serving.md` says gets every other event
//! once, whatever is wrong with it, however it asks, and whichever strategy answers.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::Value;

use crate::serve::server::Server;
use crate::support::{Place, STRATEGIES, code, error_of, stderr, stdout};

/// A log whose payload lines a test writes, and its events in the order of its pages.
struct Lines {
    data: PathBuf,
    log: Connection,
    order: Vec<i64>,
}

impl Lines {
    /// A log of so many events, with `line` for each by its place in the order.
    fn new(place: &Place, rows: u64, line: impl Fn(usize) -> Vec<u8>) -> Self {
        let data = place.small_data(rows);
        let log = Connection::open(data.join("audit.db")).unwrap();
        let order: Vec<i64> = {
            let mut order =
                log.prepare("SELECT id FROM audit_events ORDER BY created_at DESC, id DESC").unwrap();
            order.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let mut payloads = Vec::new();
        log.execute_batch("BEGIN").unwrap();
        for (index, id) in order.iter().enumerate() {
            let (offset, line) = (payloads.len(), line(index));
            payloads.extend_from_slice(&line);
            payloads.push(b'\n');
            let place = "UPDATE audit_events SET payload_offset = ?2, payload_len = ?3 WHERE id = ?1";
            log.execute(place, (id, i64::try_from(offset).unwrap(), i64::try_from(line.len() + 1).unwrap()))
                .unwrap();
        }
        log.execute_batch("COMMIT").unwrap();
        std::fs::write(data.join("payloads.jsonl"), payloads).unwrap();
        Self { data, log, order }
    }

    /// Changes where the payload of the event at this place of the order is said to lie.
    fn misplace(&self, index: usize, change: &str) {
        let change = format!("UPDATE audit_events SET {change} WHERE id = ?1");
        assert_eq!(self.log.execute(&change, [self.order[index]]).unwrap(), 1);
    }

    fn ids(&self, indices: &[usize]) -> Vec<i64> {
        indices.iter().map(|&index| self.order[index]).collect()
    }
}

/// A plain line, numbered by its place in the order.
fn plain(index: usize) -> Vec<u8> {
    format!("{{\"place\": {index}}}").into_bytes()
}

/// A log with a payload of each kind that cannot be shown: the newest, the oldest, and pages' ends among them.
fn spoiled(place: &Place) -> (Lines, Vec<i64>) {
    let lines = [
        (0, b"{\"amount\": NaN}".to_vec()),
        (9, b"\"\xff\"".to_vec()),
        (10, b"{\"cut\": ".to_vec()),
        (11, b"[1,]".to_vec()),
        (25, b"\"\x01\"".to_vec()),
        (33, b"{} {}".to_vec()),
        (41, ["[".repeat(10_001), "]".repeat(10_001)].concat().into_bytes()),
        (48, format!("\"{}\"", "x".repeat(5 << 20)).into_bytes()),
        (110, b"[-Infinity]".to_vec()),
        (119, b"\xef\xbb\xbf{}".to_vec()),
    ];
    let log = Lines::new(place, 120, |index| {
        lines.iter().find(|(at, _)| *at == index).map_or_else(|| plain(index), |(_, line)| line.clone())
    });
    let spans = [
        (57, "payload_offset = payload_offset + 3, payload_len = payload_len - 3"),
        (63, "payload_offset = 1 << 40"),
        (70, "payload_len = 0"),
        (78, "payload_offset = -1"),
        (85, "payload_len = payload_len - 1"),
        (91, "payload_len = 9223372036854775807"),
    ];
    for (index, change) in spans {
        log.misplace(index, change);
    }
    // Two lines, the second of them the next event's, which is shown.
    log.misplace(100, "payload_len = payload_len + (SELECT payload_len FROM audit_events WHERE id = ?1)");
    let mut bad: Vec<usize> = lines.iter().map(|(at, _)| *at).chain(spans.map(|(at, _)| at)).collect();
    bad.push(100);
    bad.sort_unstable();
    let bad = log.ids(&bad);
    (log, bad)
}

/// What a collector has seen, and what it was told that it cannot see.
#[derive(Debug, Default, PartialEq)]
struct Collected {
    seen: Vec<i64>,
    unshown: Vec<i64>,
}

/// Collects by what is documented: the events before the one that cannot be shown first, then on past it.
fn collect(first: &[&str], size: &str, mut ask: impl FnMut(&[&str]) -> Result<Value, Value>) -> Collected {
    let mut collected = Collected::default();
    let ids = |page: &Value| -> Vec<i64> {
        page["events"].as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect()
    };
    let mut position: Vec<String> = first.iter().map(|word| (*word).to_owned()).collect();
    loop {
        let mut words: Vec<&str> = position.iter().map(String::as_str).collect();
        words.extend(["--page-size", size]);
        let next = match ask(&words) {
            Ok(page) => {
                collected.seen.extend(ids(&page));
                page["next"].clone()
            }
            Err(error) => {
                let before = error["shown_before"].as_u64().unwrap_or_else(|| panic!("no way on: {error}"));
                if before > 0 {
                    let start = error["start"].as_str().unwrap();
                    let page = ask(&["--after", start, "--page-size", &before.to_string()]).unwrap();
                    assert_eq!(ids(&page).len() as u64, before, "{error}");
                    collected.seen.extend(ids(&page));
                }
                // None is named where the page is only too large together.
                collected.unshown.extend(error["event"].as_i64());
                error["next"].clone()
            }
        };
        let Some(next) = next.as_str() else { return collected };
        position = vec!["--after".to_owned(), next.to_owned()];
    }
}

fn ask_page(place: &Place, data: &Path, strategy: &str, words: &[&str]) -> Result<Value, Value> {
    let ran = place.run(data, &[&["--json", "page", strategy], words].concat());
    match code(&ran) {
        0 => Ok(serde_json::from_str(&stdout(&ran)).unwrap()),
        exit => {
            assert_eq!((exit, stdout(&ran).as_str()), (2, ""), "{}", stderr(&ran));
            Err(error_of(&ran))
        }
    }
}

/// All events from this place of the order on, but for the bad ones.
fn expected(log: &Lines, bad: &[i64], from: usize) -> Collected {
    let hidden: BTreeSet<i64> = bad.iter().copied().collect();
    let (unshown, seen) = log.order[from..].iter().partition(|id| hidden.contains(id));
    Collected { seen, unshown }
}

#[test]
fn every_other_event_is_seen_once_whatever_is_wrong_and_whichever_strategy_answers() {
    let place = Place::new();
    let (log, bad) = spoiled(&place);
    for (strategy, size) in STRATEGIES.into_iter().zip(["10", "50", "7", "25"]) {
        let ask = |words: &[&str]| ask_page(&place, &log.data, strategy, words);
        assert_eq!(collect(&[], size, ask), expected(&log, &bad, 0), "{strategy}");
    }
}

#[test]
fn a_walk_that_begins_at_a_page_by_number_goes_on_by_cursor() {
    let place = Place::new();
    let (log, bad) = spoiled(&place);
    for strategy in ["keyset", "baseline"] {
        let ask = |words: &[&str]| ask_page(&place, &log.data, strategy, words);
        assert_eq!(collect(&["--page", "2"], "33", ask), expected(&log, &bad, 33), "{strategy}");
    }
}

#[test]
fn filters_go_with_the_way_on() {
    let place = Place::new();
    let (log, bad) = spoiled(&place);
    let hidden: BTreeSet<i64> = bad.iter().copied().collect();
    let mut of_action = log
        .log
        .prepare("SELECT id FROM audit_events WHERE action = 'LOGIN' ORDER BY created_at DESC, id DESC")
        .unwrap();
    let of_action: Vec<i64> =
        of_action.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let (unshown, seen): (Vec<i64>, Vec<i64>) = of_action.iter().partition(|id| hidden.contains(id));
    assert!(seen.len() > 3);
    for strategy in ["keyset", "baseline"] {
        let ask =
            |words: &[&str]| ask_page(&place, &log.data, strategy, &[words, &["--action", "LOGIN"]].concat());
        let expected = Collected { seen: seen.clone(), unshown: unshown.clone() };
        assert_eq!(collect(&[], "6", ask), expected, "{strategy}");
    }
}

#[test]
fn over_http_the_links_lead_past_it_and_the_problem_says_the_same() {
    let place = Place::new();
    let (log, bad) = spoiled(&place);
    let server = Server::start(&place, &log.data, &["--rate", "0"]);
    let mut collected = Collected::default();
    let mut next = Some("/v1/events?page_size=10".to_owned());
    let ids = |page: &Value| -> Vec<i64> {
        page["events"].as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect()
    };
    while let Some(target) = next {
        let reply = server.page(&target, "");
        if reply.status == 200 {
            collected.seen.extend(ids(&reply.json()));
        } else {
            let problem = reply.json();
            reply.is_problem(500, problem["code"].as_str().unwrap());
            let event = problem["event"].as_i64().unwrap();
            assert!(problem["detail"].is_null(), "a client reads no word of what stands there: {problem}");
            let before = problem["shown_before"].as_u64().unwrap();
            assert_eq!(reply.link("prev").is_some(), before > 0, "{problem}");
            if let Some(before) = reply.link("prev") {
                assert!(before.contains(problem["start"].as_str().unwrap()), "{before}");
                collected.seen.extend(ids(&server.page(&before, "").json()));
            }
            collected.unshown.push(event);
            assert!(reply.link("next").unwrap().contains(problem["next"].as_str().unwrap()), "{problem}");
        }
        next = reply.link("next");
    }
    assert_eq!(collected, expected(&log, &bad, 0));
}

/// The example of the documentation, as it stands there.
#[test]
fn the_documented_collector_gets_every_other_event() {
    let place = Place::new();
    let (log, bad) = spoiled(&place);
    let server = Server::start(&place, &log.data, &["--rate", "0"]);
    let text = include_str!("../docs/serving.md");
    let example = text.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let mut python = Command::new("python3")
        .arg("-")
        .arg(format!("http://{}", server.address))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(example.as_bytes()).unwrap();
    let ran = python.wait_with_output().unwrap();
    assert_eq!(code(&ran), 0, "{}", stderr(&ran));
    let numbers = |text: &str| -> Vec<i64> {
        text.lines().filter_map(|line| line.split_whitespace().last()?.parse().ok()).collect()
    };
    let Collected { seen, unshown } = expected(&log, &bad, 0);
    assert_eq!(numbers(&stdout(&ran)), seen);
    assert_eq!(numbers(&stderr(&ran)), unshown, "{}", stderr(&ran));
}

#[test]
fn a_file_that_was_cut_short_hides_what_lay_behind_its_new_end_and_nothing_else() {
    let place = Place::new();
    let log = Lines::new(&place, 60, plain);
    let file = std::fs::File::options().write(true).open(log.data.join("payloads.jsonl")).unwrap();
    let cut = log.order.iter().take(40).map(|id| {
        let end = "SELECT payload_offset + payload_len FROM audit_events WHERE id = ?1";
        log.log.query_row(end, [id], |row| row.get::<_, u32>(0)).unwrap()
    });
    file.set_len(cut.max().unwrap().into()).unwrap();
    for strategy in STRATEGIES {
        let ask = |words: &[&str]| ask_page(&place, &log.data, strategy, words);
        let collected = collect(&[], "30", ask);
        assert_eq!(collected, expected(&log, &log.order[40..], 0), "{strategy}");
    }
}

/// Together they are more than a request may read, each alone is not: smaller pages show all of them.
#[test]
fn payloads_that_are_too_large_together_are_all_seen_in_smaller_pages() {
    let place = Place::new();
    let log = Lines::new(&place, 30, |index| format!("\"{index} {}\"", "x".repeat(700 << 10)).into_bytes());
    for strategy in STRATEGIES {
        let ask = |words: &[&str]| ask_page(&place, &log.data, strategy, words);
        let first = ask(&[]).unwrap_err();
        assert_eq!(
            (&first["code"], &first["shown_before"]),
            (&"payload-too-large".into(), &5.into()),
            "{strategy}"
        );
        assert!(first["fix"].as_str().unwrap().contains("fewer events at once"), "{first}");
        assert_eq!(collect(&[], "50", ask), expected(&log, &[], 0), "{strategy}");
    }
}

/// RFC 8259 is the grammar, and what stands in the file is what is shown.
#[test]
fn whatever_is_json_is_shown_byte_for_byte() {
    let deep = ["[".repeat(10_000), "]".repeat(10_000)].concat();
    let many = "7".repeat(2_000);
    let odd = [
        "{\"a\": 1e400}",
        "-0.0e-999",
        "\"\\ud800\"",
        "{\"\\udc00\\ud800\": [\"\\u0000\"]}",
        "{\"a\": 1, \"a\": 2}",
        &deep,
        &many,
        "\"\u{7f}\u{2028}\"",
        "  null  ",
    ];
    let place = Place::new();
    let log = Lines::new(&place, 40, |index| {
        odd.get(index / 3).map_or_else(|| plain(index), |line| line.as_bytes().to_vec())
    });
    let server = Server::start(&place, &log.data, &[]);
    let served = server.page("/v1/events", "");
    assert_eq!(served.status, 200, "{served:?}");
    for strategy in ["keyset", "native-keyset", "native-baseline"] {
        let ran = place.run(&log.data, &["--json", "page", strategy]);
        assert_eq!(code(&ran), 0, "{strategy}: {}", stderr(&ran));
        for line in odd {
            for answer in [&stdout(&ran), served.text()] {
                let shown = answer.matches(&format!("\"payload\": {}}}", line.trim())).count();
                assert_eq!(shown, 3, "{strategy}: {}", &line[..line.len().min(40)]);
            }
        }
        // A page is JSON as a whole, for whoever reads over it without decoding.
        serde_json::from_str::<Box<serde_json::value::RawValue>>(&stdout(&ran)).unwrap();
    }
    // The frozen strategy decodes payloads itself, and its decoder takes less. It says so, and a walk goes on.
    let beyond: BTreeSet<i64> = (0..27)
        .filter(|index| [0, 2, 3, 5, 6].contains(&(index / 3)))
        .map(|index| log.order[index])
        .collect();
    let error = ask_page(&place, &log.data, "baseline", &[]).unwrap_err();
    assert_eq!(
        (&error["code"], &error["event"]),
        (&"payload-corrupt".into(), &log.order[0].into()),
        "{error}"
    );
    assert!(error["message"].as_str().unwrap().contains("number out of range"), "{error}");
    assert!(error["fix"].as_str().unwrap().contains("native-baseline"), "{error}");
    let collected = collect(&[], "50", |words| ask_page(&place, &log.data, "baseline", words));
    assert_eq!(collected.unshown.iter().copied().collect::<BTreeSet<_>>(), beyond);
    assert_eq!(collected.seen.len() + beyond.len(), 40);
}

#[test]
fn people_are_told_what_stands_there_and_how_the_walk_goes_on() {
    let place = Place::new();
    let log =
        Lines::new(&place, 20, |index| if index == 4 { b"{\"a\": NaN}".to_vec() } else { plain(index) });
    for strategy in STRATEGIES {
        let ran = place.run(&log.data, &["page", strategy]);
        let said = stderr(&ran);
        assert_eq!((code(&ran), stdout(&ran).as_str()), (2, ""), "{said}");
        let words = [
            &format!("event {}", log.order[4]),
            "NaN at byte 6 is not JSON",
            "RFC 8259",
            "the 4 before it: --after ",
            " --page-size 4",
            "the walk goes on with: --after ",
        ];
        for words in words {
            assert!(said.contains(words), "{strategy}: {words} in {said}");
        }
        assert!(!said.contains("backup"), "{strategy}: {said}");
        let rest = said
            .lines()
            .find_map(|line| line.trim().strip_prefix("the walk goes on with: --after "))
            .unwrap();
        let page = ask_page(&place, &log.data, strategy, &["--after", rest]).unwrap();
        assert_eq!(page["count"], 15);
    }
}

/// Nobody can tell whose line it is, so it is shown as neither's where both are on the page.
#[test]
fn two_events_of_a_page_that_share_a_byte_are_refused_and_both_are_named() {
    for (case, change) in [
        (
            "the same line",
            "(payload_offset, payload_len) = (SELECT payload_offset, payload_len FROM audit_events WHERE id = {})",
        ),
        (
            "a line and a span that holds it",
            "payload_offset = 0, payload_len = (SELECT payload_offset + payload_len FROM audit_events WHERE id = {})",
        ),
        ("a span that ends in another's line", "payload_len = payload_len + 4"),
        (
            "a span that begins in another's line",
            "payload_offset = payload_offset - 4, payload_len = payload_len + 4",
        ),
        (
            "the end of another's line",
            "(payload_offset, payload_len) = (SELECT payload_offset + 3, payload_len - 3 FROM audit_events WHERE id = {})",
        ),
    ] {
        let place = Place::new();
        let log = Lines::new(&place, 30, plain);
        let (one, other) = (12, 19);
        log.misplace(one, &change.replace("{}", &log.order[other].to_string()));
        for strategy in STRATEGIES {
            let error = ask_page(&place, &log.data, strategy, &[]).unwrap_err();
            assert_eq!(error["code"], "payload-corrupt", "{case}, {strategy}: {error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(&format!("event {}", error["event"])), "{case}, {strategy}: {error}");
            if case == "the same line" && strategy != "baseline" {
                assert!(
                    message.contains(&format!("with event {}", log.order[other])),
                    "{case}, {strategy}: {error}"
                );
            }
        }
        let ran = place.run(
            &log.data,
            &["verify", "native-keyset", "--reference", "native-baseline", "--requests", "5"],
        );
        let said = stdout(&ran) + &stderr(&ran);
        let named = [one, other].map(|index| said.contains(&format!("event {}", log.order[index])));
        assert!(code(&ran) == 1 && named.contains(&true), "{case}: {said}");
    }
}

/// Two that never meet on a page, and a file that was written anew in place: no page can tell, these verbs do.
#[test]
fn verify_and_audit_name_events_whose_lines_are_not_their_own_wherever_they_are() {
    let place = Place::new();
    let log = Lines::new(&place, 2_000, plain);
    let sound = place.run(&log.data, &["verify", "keyset", "--requests", "10"]);
    assert_eq!(code(&sound), 0, "{}{}", stdout(&sound), stderr(&sound));
    let take = format!(
        "(payload_offset, payload_len) = (SELECT payload_offset, payload_len FROM audit_events WHERE id = {})",
        log.order[1_900]
    );
    log.misplace(3, &take);
    let (one, other) = (log.order[3].min(log.order[1_900]), log.order[3].max(log.order[1_900]));
    let named = format!("event {other}: it shares bytes");
    let few = ["--requests", "5"];
    let verified = place
        .run(&log.data, &[&["verify", "native-keyset", "--reference", "native-baseline"], &few[..]].concat());
    let said = stdout(&verified) + &stderr(&verified);
    assert!(
        code(&verified) != 0 && said.contains(&named) && said.contains(&format!("with event {one}")),
        "{said}"
    );
    let audited = place.run(&log.data, &["audit", "keyset", "--seconds", "1"]);
    let said = stdout(&audited) + &stderr(&audited);
    assert!(code(&audited) != 0 && said.contains(&named), "{said}");
}

/// One event that cannot be shown keeps no other from being compared.
#[test]
fn verify_and_audit_compare_all_others_and_name_what_is_wrong_with_the_log() {
    let place = Place::new();
    let (log, bad) = spoiled(&place);
    // It is sound, and only larger than a request may read.
    let large = log.order[48];
    for verb in [
        &["verify", "keyset", "--requests", "30"][..],
        &["verify", "native-keyset", "--reference", "native-baseline", "--requests", "30"],
        &["audit", "keyset", "--seconds", "1"],
    ] {
        let ran = place.run(&log.data, verb);
        let said = stdout(&ran) + &stderr(&ran);
        assert_eq!(code(&ran), 1, "{verb:?}: {said}");
        assert!(!said.contains("differs:") && !said.contains("not equal to"), "{verb:?}: {said}");
        for id in bad.iter().filter(|id| **id != large) {
            assert!(said.contains(&format!("event {id}: ")), "{verb:?}: event {id} in {said}");
        }
    }
}

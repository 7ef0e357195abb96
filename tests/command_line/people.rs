//! What people see: help that shows how, pages that can be read on a terminal, why there is nothing, and how far long
//! work is where there is no terminal.

use serde_json::Value;

use super::with_log;
use crate::support::desk::Desk;
use crate::support::{Place, code, error_of, stderr, stdout};

/// The verbs below one, by the list in its help.
fn below(place: &Place, verb: &[String]) -> Vec<Vec<String>> {
    let help = stdout(&place.keyhole().args(verb).arg("--help").output().unwrap());
    let listed = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    let lines = listed.lines().take_while(|line| line.starts_with("  "));
    let names =
        lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(|name| [verb, &[name.to_owned()]].concat()).collect()
}

/// Each verb's help has examples that its own parser takes, exit codes, and the options that every verb has under a
/// heading of their own; no usage line shows an option that may be left out as if it had to be there.
#[test]
fn the_help_of_every_verb_shows_how() {
    let place = Place::new();
    let mut verbs = vec![Vec::new()];
    let mut at = 0;
    while let Some(verb) = verbs.get(at) {
        let found = below(&place, verb);
        verbs.extend(found);
        at += 1;
    }
    assert!(verbs.len() > 25, "{verbs:?}");
    for verb in &verbs {
        let name =
            ["keyhole"].into_iter().chain(verb.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        for switch in ["--help", "-h"] {
            let help = stdout(&place.keyhole().args(verb).arg(switch).output().unwrap());
            let (options, below) =
                help.split_once("Examples:\n").unwrap_or_else(|| panic!("{name}: no examples:\n{help}"));
            let (examples, exits) =
                below.split_once("\nExit codes:\n").unwrap_or_else(|| panic!("{name}: no exit codes"));
            assert!(
                examples.lines().all(|line| line.trim_start().starts_with("keyhole")),
                "{name}: {examples}"
            );
            let called = verb.join(" ");
            assert!(examples.lines().any(|line| line.contains(&called)), "{name}: {examples}");
            for exit in ["  0  ", "  2  ", "  130"] {
                assert!(exits.contains(exit), "{name}: {exits}");
            }
            let (own, global) =
                options.split_once("Global options:\n").unwrap_or_else(|| panic!("{name}: {options}"));
            for option in ["--data", "--policy", "--state", "--cache", "--json", "--out", "--quiet"] {
                assert!(
                    global.contains(option) && !own.contains(&format!("      {option} ")),
                    "{name}: {option}"
                );
            }
        }
        let usage = stderr(&place.keyhole().args(verb).arg("--no-such-option").output().unwrap());
        let usage = usage
            .lines()
            .find(|line| line.starts_with("Usage: "))
            .unwrap_or_else(|| panic!("{name}: {usage}"));
        assert!(usage.starts_with(&format!("Usage: {name}")), "{usage}");
        for optional in ["--data", "--state", "--cache", "--policy", "--admin"] {
            assert!(!usage.contains(optional), "{usage}");
        }
    }
}

/// A page is a table on a terminal; in a pipe it is one line, as it is with --json and in a file.
#[test]
fn a_page_is_a_table_on_a_terminal_and_a_line_in_a_pipe() {
    let (place, log) = with_log();
    let log = log.to_str().unwrap();
    let args = ["--data", log, "page", "keyset", "--page-size", "3"];
    let (shown, exit) = place.on_terminal(&args, "");
    assert_eq!(exit, 0, "{shown}");
    assert!(shown.starts_with("page 1: 3 events\n") && shown.lines().count() > 6, "{shown}");
    assert!(shown.contains("  id  ") && shown.contains("Z  ") && shown.contains("\n    --after "), "{shown}");
    assert!(!shown.contains("{\"query\""), "{shown}");

    let piped = stdout(&place.keyhole().args(args).output().unwrap());
    assert!(piped.starts_with("{\"query\": {") && piped.lines().count() == 1, "{piped}");
    let page: Value = serde_json::from_str(&piped).unwrap();
    for event in page["events"].as_array().unwrap() {
        assert!(shown.contains(&format!("{}  ", event["id"])), "{shown}");
    }
    let (json, _) = place.on_terminal(&[&args[..], &["--json"]].concat(), "");
    assert_eq!(json, piped);
    let (nothing, _) = place.on_terminal(&[&args[..], &["--out", "page.json"]].concat(), "");
    assert_eq!((nothing.as_str(), std::fs::read_to_string(place.path("page.json")).unwrap()), ("", piped));
}

/// An empty page says on standard error what the log has in place of what was asked for; the page itself is as it was.
#[test]
fn an_empty_page_says_why() {
    let (place, log) = with_log();
    for (asked, why) in [
        (&["--action", "logn"][..], "no event has the action logn: the log has "),
        (&["--actor", "-3"], "no event is of actor -3: the log has "),
        (&["--from", "2030-01-01T00:00:00Z"], "the window is empty: the log's events lie from 20"),
        (&["--from", "9", "--to", "8"], "the window is empty: --from is after --to"),
        (&["--page", "100000"], "page 100000 is behind the last one"),
    ] {
        for switch in [&[][..], &["--json"]] {
            let ran = place.run(&log, &[&["page", "keyset"], asked, switch].concat());
            assert_eq!(code(&ran), 0, "{asked:?}: {}", stderr(&ran));
            assert!(
                stdout(&ran).ends_with("\"events\": [], \"count\": 0, \"next\": null}\n"),
                "{}",
                stdout(&ran)
            );
            assert!(
                stderr(&ran).starts_with(&format!("keyhole: the page is empty: {why}")),
                "{}",
                stderr(&ran)
            );
        }
        let ran = place.run(&log, &[&["--quiet", "page", "keyset"], asked].concat());
        assert_eq!(stderr(&ran), "", "{asked:?}");
    }
    let ran = place.run(&log, &["page", "keyset"]);
    assert_eq!(stderr(&ran), "", "a page with events is not explained");
    std::fs::write(place.path("none.jsonl"), "\n").unwrap();
    let ran = place.run(&log, &["page", "keyset", "--queries", "none.jsonl"]);
    assert_eq!((code(&ran), stdout(&ran).as_str()), (0, ""));
    assert!(stderr(&ran).contains("there is no request in none.jsonl"), "{}", stderr(&ran));
    let other = Place::new();
    for (list, why) in [
        (["decisions", "show"], "was loaded, granted or judged yet"),
        (["scratch", "list"], "was asked for a page yet"),
    ] {
        let shown = stdout(&other.keyhole().args(list).output().unwrap());
        assert!(shown.replace('\n', " ").contains(why), "{shown}");
    }
}

/// Long work says how far it is where there is no terminal, too: a line after two seconds, and what remains.
#[test]
fn long_work_says_how_far_it_is_without_a_terminal() {
    let place = Place::new();
    let ran = place
        .keyhole()
        .args(["seed", "--data", "long", "--rows", "900000", "--short-payloads"])
        .output()
        .unwrap();
    assert_eq!(code(&ran), 0, "{}", stderr(&ran));
    let said = stderr(&ran);
    let first = said.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("keyhole: making the data set: ") && first.contains(" of 900,000, about "),
        "{said}"
    );
    assert!(first.ends_with(" left"), "{said}");
    assert!(said.lines().last().unwrap().starts_with("keyhole: making the data set: done in "), "{said}");
}

/// `policy allow` asks before it writes: where nobody can be asked it says so before it audits, and an audit of these very
/// bytes that is saved is not made again.
#[test]
fn policy_allow_asks_and_takes_the_audit_that_is_saved() {
    let desk = Desk::new();
    let (log, policy, file) = (desk.log.to_str().unwrap(), desk.policy(), desk.component.to_str().unwrap());
    let policy = policy.to_str().unwrap();
    let args = format!(
        "--data {log} --policy {policy} policy allow {file} --as new --reason faster --requests 40 --priority normal \
         --reference native-keyset"
    );
    let args: Vec<&str> = args.split(' ').collect();
    let audits = || desk.place.path("state").join("audits").read_dir().map_or(0, Iterator::count);

    let ran =
        desk.place.keyhole().args(&args).arg("--json").stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!((code(&ran), stdout(&ran).as_str()), (2, ""), "{}", stderr(&ran));
    assert!(error_of(&ran)["message"].as_str().unwrap().contains("say --yes"), "{}", stderr(&ran));
    assert_eq!(audits(), 0, "it audited although nobody can be asked");

    let (shown, exit) = desk.place.on_terminal(&args, "n\n");
    assert_eq!((exit, audits(), desk.read().as_str()), (1, 1, "version = 1\n"), "{shown}");
    assert!(shown.contains("[strategy.new]") && shown.contains("[y/N]"), "{shown}");

    let (shown, exit) = desk.place.on_terminal(&args, "y\n");
    assert_eq!((exit, audits()), (0, 1), "{shown}");
    assert!(shown.contains("the audit of these very bytes that was made at "), "{shown}");
    assert!(desk.read().contains("[strategy.new]") && desk.read().contains(" (uid "), "{}", desk.read());
}

/// `bench --workers` has as many as it says.
#[test]
fn a_benchmark_has_as_many_workers_as_are_asked_for() {
    let (place, log) = with_log();
    let few = "bench native-keyset --mix contract --requests 40 --warmup 0 --rounds 2 --json";
    for workers in ["1", "3"] {
        let args: Vec<&str> = few.split(' ').chain(["--workers", workers]).collect();
        let ran = place.run(&log, &args);
        let measured: Value = serde_json::from_str(&stdout(&ran)).unwrap();
        assert_eq!(measured["mixes"][0]["load"]["workers"].to_string(), workers, "{measured}");
    }
    let args: Vec<&str> = few.split(' ').chain(["--workers", "5"]).collect();
    let ran = place.run(&log, &args);
    assert_eq!(code(&ran), 2);
    assert!(stderr(&ran).contains("5 workers cannot hold 4 requests in flight"), "{}", stderr(&ran));
}

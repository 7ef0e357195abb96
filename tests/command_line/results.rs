//! Where results go, and what the program says of itself.

use std::process::Output;

use serde_json::Value;

use super::with_log;
use crate::support::answers::Answer;
use crate::support::foreign::log_with_ties;
use crate::support::snapshots::assert_snapshot;
use crate::support::{Place, code, stderr, stdout};

#[test]
fn out_names_a_file_and_leaves_standard_output_alone() {
    let (place, log) = with_log();
    let file = place.path("results");
    let out = file.to_str().unwrap();
    // One file for all of them: each takes the place of another verb's result.
    let to_it = ["--force", "--out", out];
    for args in [
        &["page", "native-keyset", "--page-size", "3"][..],
        &["verify", "native-keyset", "--requests", "3", "--json", "--quiet"],
        &["bench", "native-keyset", "--requests", "3", "--warmup", "1", "--rounds", "1", "--json", "--quiet"],
        &["inspect", "keyset", "--json"],
        &["--version", "--json"],
    ] {
        let ran = place.run(&log, &[args, &to_it].concat());
        assert_eq!((code(&ran), stdout(&ran), stderr(&ran)), (0, String::new(), String::new()), "{args:?}");
        let written = std::fs::read_to_string(&file).unwrap();
        serde_json::from_str::<Value>(&written)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {written}"));
    }
    let answer = place.run(&log, &[&["page", "native-keyset", "--page-size", "3"][..], &to_it].concat());
    assert_eq!(code(&answer), 0);
    assert_eq!(Answer::read(std::fs::read_to_string(&file).unwrap().trim_end()).ids.len(), 3);

    let nowhere = place.path("nowhere/results");
    let ran = place.run(&log, &["page", "native-keyset", "--out", nowhere.to_str().unwrap()]);
    assert_eq!(code(&ran), 2);
    assert!(stderr(&ran).contains("nowhere/results"), "{}", stderr(&ran));
}

#[test]
fn the_version_tells_what_the_program_is_made_of() {
    let place = Place::new();
    let json = place.keyhole().args(["--version", "--json"]).output().unwrap();
    assert_eq!((code(&json), stderr(&json)), (0, String::new()));
    let versions: Value = serde_json::from_str(&stdout(&json)).unwrap();
    let names = ["keyhole", "keyhole:strategy", "sqlite", "wasmtime"];
    assert!(versions.as_object().unwrap().keys().eq(names), "{versions}");
    let plain = place.keyhole().arg("-V").output().unwrap();
    assert_eq!(code(&plain), 0);
    let lines = names.map(|name| format!("{name} {}\n", versions[name].as_str().unwrap()));
    assert_eq!(stdout(&plain), lines.concat());
}

#[test]
fn the_help_of_every_verb_is_what_it_was_agreed_to_be() {
    let place = Place::new();
    let verbs = "demo,page,serve,inspect,verify,bench,report,policy,policy new,policy check,policy show,\
        policy allow,audit,diff,decisions,decisions show,decisions check,strategy,strategy list,strategy stage,\
        strategy shadow,strategy promote,strategy rollback,strategy drain,strategy pardon,scratch,scratch list,scratch drop,seed,\
        selftest,play-attacks,append-to-copy,compile-component,audit-trial";
    let help = std::iter::once("").chain(verbs.split(',')).map(|verb| {
        let mut command = place.keyhole();
        for variable in ["KEYHOLE_STATE", "KEYHOLE_CACHE", "COLUMNS"] {
            command.env_remove(variable);
        }
        let help = command.args(verb.split_whitespace()).arg("--help").output().unwrap();
        assert_eq!((code(&help), stderr(&help)), (0, String::new()), "{verb}");
        format!("$ keyhole {verb} --help\n{}\n", stdout(&help))
    });
    assert_snapshot("help", &help.collect::<String>());
}

#[test]
fn the_folders_come_from_the_environment_and_keep_to_themselves() {
    use std::os::unix::fs::PermissionsExt;
    let (place, log) = with_log();
    let ran = place.keyhole().env("KEYHOLE_DATA", &log).args(["page", "keyset", "--page-size", "1"]).output();
    let ran = ran.unwrap();
    assert_eq!(code(&ran), 0, "{}", stderr(&ran));
    for folder in ["state", "cache"] {
        let mode = place.path(folder).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder} holds copies of log data, or keys");
    }
    let key = place.path("state/cursor.key").metadata().unwrap().permissions().mode();
    assert_eq!(key & 0o777, 0o600);
}

#[test]
fn the_ledger_tells_what_a_request_did() {
    let (place, log) = with_log();
    let json = place.run(&log, &["page", "keyset", "--page-size", "5", "--ledger", "--json"]);
    assert_eq!(code(&json), 0, "{}", stderr(&json));
    let page: Value = serde_json::from_str(&stdout(&json)).unwrap();
    let ledger = &page["ledger"];
    assert_eq!((&ledger["high_water"], &ledger["covered"]), (&2000.into(), &2000.into()), "{ledger}");
    assert_eq!(ledger["proved"], true);
    assert_eq!(ledger["payload_reads"], 5);
    let statements = ledger["statements"].as_array().unwrap();
    assert!(!statements.is_empty());
    assert!(statements.iter().all(|statement| !statement["plan"].as_array().unwrap().is_empty()), "{ledger}");
    assert!(!ledger.to_string().contains("OFFSET"), "keyset never skips: {ledger}");

    let plain = place.run(&log, &["page", "baseline", "--page-size", "5", "--ledger"]);
    assert_says(&plain, &["OFFSET", "plan: ", "payloads.read: 5 times", "proved complete"]);
}

#[test]
fn a_benchmark_is_kept_for_other_tools_and_reported_as_a_page() {
    let place = Place::new();
    let log = place.small_data(3_000);
    let (kept, json, page) = (place.path("kept"), place.path("sweep.json"), place.path("page.html"));
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let few = ["--requests", "6", "--warmup", "2", "--rounds", "2", "--quiet"];
    let sides = ["native-keyset", "keyset", "floor-snapshot", "floor-reads"];
    let bench = |more: &[&str]| place.run(&log, &[&["bench"][..], &sides, &few, more].concat());

    let ran = bench(&["--mix", "contract,dense-20", "--rate", "2000", "--keep", &text(&kept)]);
    assert_says(
        &ran,
        &["open loop, 2000 a second", "keyset ÷ floor-snapshot", "keyset ÷ floor-reads", "95 %"],
    );
    let kept_result: Value =
        serde_json::from_slice(&std::fs::read(kept.join("bench.json")).unwrap()).unwrap();
    assert_eq!(kept_result["mixes"][1]["load"]["rate"], 2000.0);
    assert_eq!(kept_result["digests"]["keyset"].as_str().unwrap().len(), 64);
    assert_eq!(kept_result["logs"][0]["rows"], 3000);
    let phases = kept_result["mixes"][1]["results"][1]["phases_us"].as_object().unwrap();
    for phase in ["snapshot", "instantiate", "guest", "host_calls", "check", "payloads", "render"] {
        assert!(phases[phase].as_f64().unwrap() > 0.0, "{phase}: {phases:?}");
    }
    assert!(
        kept.join("dense-20.service.hlog").exists() && kept.join("contract.keyset.latency.hgrm").exists()
    );

    let sweep = ["--sweep", "depth,filter,workers,concurrency,page-size", "--mix", "dense-20"];
    let ran = bench(&[&sweep[..], &["--json", "--out", &text(&json)]].concat());
    assert_eq!(code(&ran), 0, "{}", stderr(&ran));
    let result: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let sweeps: Vec<&str> =
        result["sweeps"].as_array().unwrap().iter().map(|sweep| sweep["axis"].as_str().unwrap()).collect();
    assert_eq!(sweeps, ["depth", "filter", "workers", "concurrency", "page-size"]);
    for mix in result["mixes"].as_array().unwrap() {
        assert_eq!(mix["non_empty"], 6, "every page of a sweep holds events: {}", mix["mix"]);
    }

    let ran =
        place.run(&log, &["report", &text(&json), &text(&kept.join("bench.json")), "--out", &text(&page)]);
    assert_eq!((code(&ran), stdout(&ran), stderr(&ran)), (0, String::new(), String::new()));
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("sweep: Sweep depth") && html.contains("bench: Mix contract"), "{html}");
    let ran = place.run(&log, &["report", &text(&page)]);
    assert_eq!(code(&ran), 2);
    assert!(stderr(&ran).contains("is not a result of `keyhole bench --json`"), "{}", stderr(&ran));
}

#[test]
fn logs_beside_each_other_make_a_sweep_over_their_size() {
    let place = Place::new();
    let (small, large) = (place.small_data(1_000), log_with_ties(&place));
    let args = "bench native-keyset keyset --mix dense-10 --requests 6 --rounds 2 --json --beside";
    let args: Vec<&str> = args.split(' ').chain([large.to_str().unwrap()]).collect();
    let ran = place.run(&small, &args);
    assert_eq!(code(&ran), 0, "{}", stderr(&ran));
    let result: Value = serde_json::from_str(&stdout(&ran)).unwrap();
    let step = &result["sweeps"][0]["steps"][1];
    assert_eq!(
        (&step["strategy"], &step["of"], &step["to"]),
        (&"keyset".into(), &"2000 events".into(), &"1000 events".into())
    );
    assert_eq!(result["logs"].as_array().unwrap().len(), 2);
}

fn assert_says(ran: &Output, all: &[&str]) {
    let said = stdout(ran);
    assert_eq!(code(ran), 0, "{}", stderr(ran));
    assert!(all.iter().all(|words| said.contains(words)), "{all:?} are not all in {said}");
}

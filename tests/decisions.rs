//! The decision log as the verbs write it, and as another program reads it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::foreign::log_with_ties;
use crate::support::{Place, code, guest, stderr, stdout};

fn records(place: &Place) -> Vec<Value> {
    let text = std::fs::read_to_string(log(place)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn log(place: &Place) -> PathBuf {
    place.path("state").join("decisions.jsonl")
}

fn events(place: &Place) -> Vec<String> {
    records(place).iter().map(|record| record["event"].as_str().unwrap().to_owned()).collect()
}

fn page(place: &Place, data: &Path, strategy: &Path) -> i32 {
    code(&place.run(data, &["page", strategy.to_str().unwrap(), "--page-size", "3"]))
}

#[test]
fn a_strategy_from_a_file_is_recorded_when_it_is_let_in_and_when_it_is_not() {
    let place = Place::new();
    let data = log_with_ties(&place);
    assert_eq!(page(&place, &data, &guest("honest")), 0);
    let refused = place.path("refused.wasm");
    std::fs::write(&refused, b"\0asm\x01\0\0\0").unwrap();
    assert_eq!(page(&place, &data, &refused), 1);

    let records = records(&place);
    assert_eq!(events(&place), ["load", "refuse"]);
    for record in &records {
        assert!(record["digest"].as_str().unwrap().starts_with("sha256:"), "{record}");
        assert!(record["who"].as_str().unwrap().contains("uid"), "{record}");
        assert!(record["strategy"].as_str().unwrap().contains(".wasm"), "{record}");
    }
    assert!(records[1]["reason"].as_str().unwrap().contains("core module"), "{}", records[1]);
}

#[test]
fn a_strategy_that_the_binary_carries_is_not_recorded() {
    let place = Place::new();
    let data = log_with_ties(&place);
    assert_eq!(code(&place.run(&data, &["page", "keyset"])), 0);
    assert!(!log(&place).exists());
}

#[test]
fn denials_of_a_run_are_one_record_with_their_number_and_the_first_request() {
    let place = Place::new();
    let data = log_with_ties(&place);
    // Its statement names a column that nobody is granted.
    page(&place, &data, &guest("ungranted-column"));
    let records = records(&place);
    let denied: Vec<&Value> = records.iter().filter(|record| record["event"] == "deny").collect();
    assert_eq!(denied.len(), 1, "{records:?}");
    assert!(denied[0]["count"].as_u64().unwrap() >= 1);
    assert!(denied[0]["request"].as_str().unwrap().contains("page_size"), "{}", denied[0]);
}

#[test]
fn a_proof_is_recorded_with_its_verdict() {
    let place = Place::new();
    let data = log_with_ties(&place);
    let queries = place.path("queries.jsonl");
    std::fs::write(&queries, "{\"from_ts\": 0, \"to_ts\": 9999999999, \"page\": 1, \"page_size\": 3}\n")
        .unwrap();
    let strategy = guest("honest");
    let args = ["verify", strategy.to_str().unwrap(), "--reference", "native-baseline", "--queries"];
    let run = place.run(&data, &[&args[..], &[queries.to_str().unwrap()]].concat());
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    assert_eq!(events(&place), ["load", "verdict"], "loaded several times, recorded once");
    let record = &records(&place)[1];
    assert!(record["reason"].as_str().unwrap().contains("equal to native-baseline on 1 pages"), "{record}");
    assert_eq!(record["digest"], records(&place)[0]["digest"]);
}

#[test]
fn a_verdict_that_cannot_be_recorded_is_an_error_and_a_load_is_a_remark() {
    let place = Place::new();
    let data = log_with_ties(&place);
    let strategy = guest("honest");
    std::fs::create_dir_all(log(&place)).unwrap();
    let run = place.run(&data, &["page", strategy.to_str().unwrap()]);
    assert_eq!(code(&run), 0);
    assert!(stderr(&run).contains("not recorded in the decision log"), "{}", stderr(&run));
    let run = place.run(&data, &["verify", strategy.to_str().unwrap(), "--requests", "1"]);
    assert_eq!(code(&run), 2);
    assert!(stderr(&run).contains("decisions.jsonl"), "{}", stderr(&run));
}

#[test]
fn check_says_sound_with_a_head_and_broken_with_a_place() {
    let place = Place::new();
    let data = log_with_ties(&place);
    for _ in 0..3 {
        page(&place, &data, &guest("honest"));
    }
    let check = |args: &[&str]| place.run(&data, &[&["decisions", "check", "--json"], args].concat());
    let sound = check(&[]);
    assert_eq!(code(&sound), 0, "{}", stderr(&sound));
    let value: Value = serde_json::from_str(&stdout(&sound)).unwrap();
    let head = value["head"].as_str().unwrap().to_owned();
    assert_eq!((&value["sound"], &value["records"]), (&true.into(), &3.into()));
    assert_eq!(code(&check(&["--head", &head])), 0);

    let another = format!("3:{}", "0".repeat(64));
    assert_eq!(code(&check(&["--head", &another])), 1);
    assert_eq!(code(&check(&["--head", "3:zz"])), 2);

    let text = std::fs::read_to_string(log(&place)).unwrap();
    std::fs::write(log(&place), text.replacen("honest", "hOnest", 1)).unwrap();
    let broken = check(&[]);
    assert_eq!(code(&broken), 1);
    let value: Value = serde_json::from_str(&stdout(&broken)).unwrap();
    assert_eq!(value["head"], Value::Null);
    let fault = &value["faults"][0];
    assert_eq!((&fault["seq"], &fault["line"], &fault["byte"]), (&1.into(), &1.into(), &0.into()));
    let words = stdout(&place.run(&data, &["decisions", "check"]));
    assert!(words.contains("✗ broken") && words.contains("line 1, byte 0"), "{words}");
    assert_eq!(code(&place.run(&data, &["decisions", "show"])), 1, "a broken log is shown as broken");
}

#[test]
fn show_prints_the_last_records() {
    let place = Place::new();
    let data = log_with_ties(&place);
    for _ in 0..3 {
        page(&place, &data, &guest("honest"));
    }
    let shown = place.run(&data, &["decisions", "show", "--json", "--last", "2"]);
    assert_eq!(code(&shown), 0, "{}", stderr(&shown));
    let value: Value = serde_json::from_str(&stdout(&shown)).unwrap();
    let seqs: Vec<&Value> =
        value["records"].as_array().unwrap().iter().map(|record| &record["seq"]).collect();
    assert_eq!(seqs, [2, 3]);
    let words = stdout(&place.run(&data, &["decisions", "show"]));
    assert!(words.contains("3 of 3 decisions") && words.contains("load"), "{words}");
    assert_eq!(code(&place.run(&data, &["decisions", "show", "--last", "0"])), 0);
}

#[test]
fn where_nothing_was_decided_there_is_nothing_and_it_is_sound() {
    let place = Place::new();
    let data = log_with_ties(&place);
    for verb in ["show", "check"] {
        let run = place.run(&data, &["decisions", verb]);
        assert_eq!(code(&run), 0, "{}", stderr(&run));
    }
    assert!(!place.path("state").exists(), "reading makes nothing");
}

#[test]
fn processes_that_append_at_once_make_one_chain() {
    let place = Place::new();
    let data = log_with_ties(&place);
    let strategy = guest("honest");
    let running: Vec<_> = (0..12)
        .map(|_| place.keyhole().arg("--data").arg(&data).arg("page").arg(&strategy).output_in_background())
        .collect();
    for mut child in running {
        assert!(child.wait().unwrap().success());
    }
    let check = place.run(&data, &["decisions", "check"]);
    assert_eq!(code(&check), 0, "{}", stdout(&check));
    assert_eq!(events(&place), ["load"; 12]);
}

/// Another program, with nothing of ours, comes to the same hashes: the chain is what is documented.
#[test]
fn the_chain_can_be_checked_by_a_few_lines_of_another_language() {
    const CHECK: &str = r#"
import hashlib, json, sys
prev = "0" * 64
for seq, line in enumerate(open(sys.argv[1], encoding="utf-8"), 1):
    record = json.loads(line)
    hash = record.pop("hash")
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == hash, line
    assert record["prev"] == prev and record["seq"] == seq, line
    prev = hash
print(seq)
"#;
    let place = Place::new();
    let data = log_with_ties(&place);
    for _ in 0..2 {
        page(&place, &data, &guest("honest"));
    }
    let strange = place.path("strän\u{1b}ge \"\u{202e}\".wasm");
    std::fs::write(&strange, "").unwrap();
    page(&place, &data, &strange);
    let output = Command::new("python3").args(["-c", CHECK]).arg(log(&place)).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).trim(), "3");
}

trait InBackground {
    fn output_in_background(&mut self) -> std::process::Child;
}

impl InBackground for Command {
    fn output_in_background(&mut self) -> std::process::Child {
        self.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
    }
}

//! `diff` on saved audits: verdict, forms of output, exit codes.

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Place, code, stderr, stdout};

/// An honest audit with some values changed, as a file.
fn saved(place: &Place, name: &str, changes: &[(&str, Value)]) -> PathBuf {
    let mut audit: Value = serde_json::from_str(include_str!("data/audit.json")).unwrap();
    for (at, value) in changes {
        *audit.pointer_mut(at).unwrap() = value.clone();
    }
    let path = place.path(name);
    std::fs::write(&path, audit.to_string()).unwrap();
    path
}

fn diff(place: &Place, args: &[&str]) -> Output {
    place.keyhole().current_dir(place.path("")).arg("diff").args(args).output().unwrap()
}

#[test]
fn an_upgrade_that_only_narrows_is_acceptable() {
    let place = Place::new();
    saved(&place, "old.json", &[]);
    saved(&place, "new.json", &[("/may/columns", json!(["id"])), ("/strategy/digest", json!("sha256:bb"))]);
    let run = diff(&place, &["old.json", "new.json"]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let text = stdout(&run);
    assert!(text.starts_with("better: "), "{text}");
    assert_eq!(
        text.lines().nth(2),
        Some("✓ it does not widen; it answers alike; it is not dearer"),
        "{text}"
    );
    assert!(text.contains("✓ is granted the column created_at no longer"), "{text}");
}

#[test]
fn widening_and_other_answers_are_exit_code_1_with_what_and_why() {
    let place = Place::new();
    saved(&place, "old.json", &[]);
    saved(
        &place,
        "wider.json",
        &[("/may/imported", json!(["keyhole:strategy/log@0.1.0", "wasi:cli/exit@0.2.3"]))],
    );
    saved(&place, "wrong.json", &[("/correctness/equal", json!(false))]);
    saved(&place, "unfit.json", &[("/verdict", json!("unfit"))]);
    saved(&place, "unknown.json", &[("/correctness", Value::Null)]);
    for (new, words) in [
        ("wider.json", "✗ it widens; it answers alike"),
        ("wider.json", "✓ the new answers are right: equal to those of "),
        ("wrong.json", "✗ the new answers are wrong: not equal to those of "),
        ("wrong.json", "✗ it does not widen; it answers otherwise"),
        ("unfit.json", "calls the new one unfit"),
        ("unknown.json", "whether it answers alike is not known"),
    ] {
        let run = diff(&place, &["old.json", new]);
        assert_eq!(code(&run), 1, "{new}: {}", stderr(&run));
        assert!(stdout(&run).contains(words), "{new}: {}", stdout(&run));
    }
}

/// Only what is worse has a cross: a new one that answers rightly where the old one did not is better, and may serve.
#[test]
fn answers_that_were_mended_are_better() {
    let place = Place::new();
    saved(&place, "old.json", &[("/correctness/equal", json!(false)), ("/verdict", json!("unfit"))]);
    saved(&place, "new.json", &[]);
    let run = diff(&place, &["old.json", "new.json"]);
    let text = stdout(&run);
    assert_eq!(code(&run), 0, "{text}");
    assert!(text.starts_with("better: "), "{text}");
    assert!(!text.contains('✗'), "{text}");
    assert!(
        text.contains("✓ the new answers are right") && text.contains("✓ equals the reference"),
        "{text}"
    );
    let run = diff(&place, &["old.json", "new.json", "--json"]);
    let value: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!((&value["judgement"], &value["new_answers"]["right"]), (&json!("better"), &json!(true)));
}

#[test]
fn the_same_comparison_comes_as_json_and_as_a_page() {
    let place = Place::new();
    saved(&place, "old.json", &[]);
    let hostile = json!("SELECT 1 -- </td><script>alert(1)</script>\u{1b}[2J");
    saved(&place, "new.json", &[("/used/statements/0/sql", hostile), ("/cost/1/vm_steps", json!(5000))]);
    let run = diff(&place, &["old.json", "new.json", "--json", "--html", "page.html"]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let value: Value = serde_json::from_str(&stdout(&run)).unwrap();
    for (field, expected) in [
        ("format", json!(1)),
        ("acceptable", json!(true)),
        ("widens", json!(false)),
        ("answers", json!("same")),
        ("dearer", json!(true)),
        ("judgement", json!("worse")),
    ] {
        assert_eq!(value[field], expected, "{field}");
    }
    assert_eq!(value["costs"][1]["vm_steps"], json!([900, 5000]));
    let page = std::fs::read_to_string(place.path("page.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && !page.contains("<script"), "{page}");
    assert!(page.contains("&lt;script&gt;") && page.contains("\\u{1b}[2J"), "{page}");
}

#[test]
fn what_is_no_audit_is_misuse_with_a_reason() {
    let place = Place::new();
    let good = saved(&place, "old.json", &[]);
    saved(&place, "later.json", &[("/format", json!(2))]);
    std::fs::write(place.path("empty.json"), "").unwrap();
    std::fs::write(place.path("other.json"), "{\"format\": 1}").unwrap();
    std::fs::write(place.path("bytes.json"), [0xff, 0xfe, 0x00]).unwrap();
    std::fs::write(place.path("deep.json"), "[".repeat(100_000)).unwrap();
    let whole = std::fs::read(&good).unwrap();
    std::fs::write(place.path("cut.json"), &whole[..whole.len() / 2]).unwrap();
    for (file, words) in [
        ("later.json", "its format is 2"),
        ("empty.json", "is not an audit"),
        ("other.json", "is not an audit"),
        ("bytes.json", "bytes.json"),
        ("deep.json", "is not an audit"),
        ("cut.json", "is not an audit"),
        ("absent.json", "there is no file absent.json"),
    ] {
        for pair in [[file, "old.json"], ["old.json", file]] {
            let run = diff(&place, &pair);
            assert_eq!(code(&run), 2, "{pair:?}");
            assert_eq!(stdout(&run), "");
            assert!(stderr(&run).contains(words), "{pair:?}: {}", stderr(&run));
        }
    }
}

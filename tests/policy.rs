//! The operator's policy, through the binary: who is let in, with which bytes, and what a refusal says.

use std::path::Path;

use minisign::KeyPair;
use serde_json::Value;

use crate::support::desk::Desk;
use crate::support::{code, digest, guest, stderr, stdout};

fn lines(error: &Value) -> &str {
    error["lines"].as_str().unwrap_or_else(|| panic!("no lines: {error}"))
}

#[test]
fn what_is_allowed_may_run_by_name_and_by_path_with_what_it_used_and_no_more() {
    let desk = Desk::new();
    desk.write("# mine\nversion = 1\n\n[limits] # of all\nrows = 9_000\n");
    let allowed = desk.allow(&desk.component, "fast", &[]);
    assert_eq!(code(&allowed), 0, "{}", stderr(&allowed));
    let text = desk.read();
    assert!(text.starts_with("# mine\nversion = 1\n\n[limits] # of all\nrows = 9_000\n"), "{text}");
    assert!(stdout(&allowed).contains("[strategy.fast]") && text.contains("by = \"Ada\""), "{text}");
    assert!(text.contains("columns = [\"id\", \"created_at\", \"actor_id\", \"action\"]"), "{text}");
    assert!(!text.contains("upper") && !text.contains("resource_type"), "only what it used: {text}");

    let recorded = desk.recorded();
    for words in ["\"grant\"", "Ada", "faster", &digest(&desk.component), &digest(&desk.policy())] {
        assert!(recorded.contains(words), "{words} is not recorded: {recorded}");
    }

    let checked = desk.run(&["policy", "check"]);
    assert_eq!(code(&checked), 0, "{}{}", stdout(&checked), stderr(&checked));
    let by_name = desk.run(&["page", "fast", "--page", "3"]);
    assert_eq!(code(&by_name), 0, "{}", stderr(&by_name));
    let by_path = desk.run(&["page", desk.component.to_str().unwrap(), "--page", "3"]);
    let built_in = desk.run(&["page", "keyset", "--page", "3"]);
    assert_eq!(stdout(&by_name), stdout(&built_in));
    assert_eq!(stdout(&by_path), stdout(&built_in));
}

#[test]
fn each_grant_that_is_removed_is_asked_for_by_its_line() {
    let desk = Desk::new();
    assert_eq!(code(&desk.allow(&desk.component, "fast", &[])), 0);
    let whole = desk.read();
    for (key, word, error) in [
        ("interfaces", "log", "not-granted"),
        ("interfaces", "scratch", "not-granted"),
        ("columns", "actor_id", ""),
        ("columns", "action", ""),
    ] {
        let line = whole.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        let less = line.replace(&format!("\"{word}\", "), "").replace(&format!(", \"{word}\""), "");
        assert_ne!(line, less, "{key} has {word}");
        desk.write(&whole.replace(line, &less));
        let said = desk.refused(&["--quiet", "page", "fast"], 1, error);
        let lines = lines(&said);
        assert!(lines.starts_with("[strategy.fast]\n"), "{lines}");
        let granting = lines.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        assert!(granting.contains(&format!("\"{word}\"")), "{lines}");
        // What is printed is what is missing.
        desk.write(&whole.replace(line, granting));
        let page = desk.run(&["--quiet", "page", "fast"]);
        assert_eq!(code(&page), 0, "{}", stderr(&page));
    }
}

#[test]
fn a_file_without_a_section_is_refused_with_the_least_one_and_all_reasons_at_once() {
    let desk = Desk::new();
    let said = desk.refused(&["page", desk.component.to_str().unwrap()], 1, "not-granted");
    let least = lines(&said).to_owned();
    assert!(least.contains(&format!("digest = \"sha256:{}\"", digest(&desk.component))), "{least}");
    assert!(least.contains("\"scratch\"") && least.contains("policy allow"), "{least}");
    desk.write(&format!("version = 1\n{least}"));
    let check = desk.run(&["policy", "check"]);
    assert_eq!(code(&check), 0, "what is printed can be pasted: {}", stdout(&check));

    desk.write(&desk.stanza("").replace("\"log\", \"payloads\", \"diagnostics\", \"scratch\"", ""));
    let said = desk.refused(&["page", "fast"], 1, "not-granted");
    for interface in ["log", "scratch"] {
        assert!(
            said["message"].as_str().unwrap().contains(&format!("keyhole:strategy/{interface}")),
            "{said}"
        );
        assert!(lines(&said).contains(&format!("\"{interface}\"")), "{said}");
    }
}

#[test]
fn no_section_of_another_name_lets_a_strategy_in() {
    let desk = Desk::new();
    desk.write(&desk.stanza(""));
    let other = guest("honest");
    desk.refused(&["page", other.to_str().unwrap()], 1, "not-granted");
    desk.refused(&["page", "faster"], 2, "no-such-strategy");
}

#[test]
fn other_bytes_under_the_name_are_refused() {
    let desk = Desk::new();
    desk.write(&desk.stanza(""));
    std::fs::copy(guest("honest"), &desk.component).unwrap();
    for strategy in ["fast", "./fast.wasm"] {
        let said = desk.refused(&["page", strategy], 1, "digest-mismatch");
        assert!(said["message"].as_str().unwrap().contains(&digest(&desk.component)), "{said}");
    }
    let check = desk.run(&["policy", "check"]);
    assert_eq!(code(&check), 1);
    assert!(stdout(&check).contains("digest-mismatch"), "{}", stdout(&check));
}

fn sign(by: &KeyPair, component: &Path, bytes: &[u8]) {
    let signature = minisign::sign(None, &by.sk, bytes, None, None).unwrap();
    std::fs::write(component.with_extension("wasm.minisig"), signature.to_string()).unwrap();
}

#[test]
fn a_signature_must_hold_for_these_bytes_and_be_by_the_key_that_is_named() {
    let desk = Desk::new();
    let (vendor, another) =
        (KeyPair::generate_unencrypted_keypair().unwrap(), KeyPair::generate_unencrypted_keypair().unwrap());
    let keys = format!("key = \"vendor\"\n[keys]\nvendor = \"{}\"\n", vendor.pk.to_base64());
    let both = desk.stanza(&keys);
    let only_key: String =
        both.lines().filter(|line| !line.starts_with("digest")).map(|line| format!("{line}\n")).collect();
    let bytes = std::fs::read(&desk.component).unwrap();
    for policy in [&both, &only_key] {
        desk.write(policy);
        let _ = std::fs::remove_file(desk.component.with_extension("wasm.minisig"));
        desk.refused(&["page", "fast"], 1, "signature-missing");
        sign(&another, &desk.component, &bytes);
        desk.refused(&["page", "fast"], 1, "signed-by-another");
        // The right digest with a signature for other bytes.
        sign(&vendor, &desk.component, b"other bytes");
        desk.refused(&["page", "fast"], 1, "signature-invalid");
        std::fs::write(desk.component.with_extension("wasm.minisig"), "no signature").unwrap();
        desk.refused(&["page", "fast"], 1, "signature-invalid");
        sign(&vendor, &desk.component, &bytes);
        let page = desk.run(&["--quiet", "page", "fast"]);
        assert_eq!(code(&page), 0, "{}", stderr(&page));
    }
    // Both are named: the right signature does not make up for other bytes than the digest's.
    let mut other = bytes;
    other.extend_from_slice(&[0, 3, 1, b'x', 0]);
    std::fs::write(&desk.component, &other).unwrap();
    sign(&vendor, &desk.component, &other);
    desk.write(&both);
    desk.refused(&["page", "fast"], 1, "digest-mismatch");
    // Only the key is named: a signed successor is let in.
    desk.write(&only_key);
    let page = desk.run(&["--quiet", "page", "fast"]);
    assert_eq!(code(&page), 0, "{}", stderr(&page));
}

#[test]
fn a_new_version_keeps_the_old_grants_and_is_refused_if_it_needs_more() {
    let desk = Desk::new();
    let honest = desk.place.path("honest.wasm");
    std::fs::copy(guest("honest"), &honest).unwrap();
    assert_eq!(code(&desk.allow(&honest, "search", &[])), 0);
    let before = desk.read();
    // The keyset strategy needs scratch, which the old version did not.
    let refused = desk.allow(&desk.component, "search", &[]);
    assert_eq!(code(&refused), 1, "{}", stdout(&refused));
    assert!(stdout(&refused).contains("[strategy.search]"), "{}", stdout(&refused));
    assert!(stdout(&refused).contains("\"scratch\""), "{}", stdout(&refused));
    assert_eq!(desk.read(), before, "nothing was written");
    // The operator's own hand widens it; then the new version is let in, and nothing else changes.
    let wider = before
        .lines()
        .map(|line| match line.split(" = ").next() {
            Some("interfaces") => "interfaces = [\"log\", \"payloads\", \"diagnostics\", \"scratch\"]",
            Some("columns") => "columns = [\"id\", \"created_at\", \"actor_id\", \"action\"]",
            Some("functions") => "functions = [\"count\", \"max\", \"min\", \"row_number\", \"sum\"]",
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    desk.write(&wider);
    let allowed = desk.allow(&desk.component, "search", &[]);
    assert_eq!(code(&allowed), 0, "{}{}", stdout(&allowed), stderr(&allowed));
    let after = desk.read();
    assert!(after.contains(&digest(&desk.component)) && !after.contains(&digest(&honest)), "{after}");
    for line in wider.lines().filter(|line| line.starts_with("interfaces") || line.starts_with("columns")) {
        assert!(after.contains(line), "{line} is gone:\n{after}");
    }
}

#[test]
fn without_a_word_of_agreement_nothing_is_written() {
    let desk = Desk::new();
    let before = desk.read();
    let said = desk.refused(
        &"--quiet policy allow ./fast.wasm --as fast --by Ada --reason x --requests 5"
            .split(' ')
            .collect::<Vec<_>>(),
        2,
        "bad-request",
    );
    assert!(said["message"].as_str().unwrap().contains("--yes"), "{said}");
    assert_eq!(desk.read(), before);
    for (name, words) in [("keyset", "built in"), ("Fast", "small letters"), ("fast-warm", "-warm")] {
        let args = ["policy", "allow", "./fast.wasm", "--as", name, "--by", "Ada", "--reason", "x", "--yes"];
        let said = desk.refused(&args, 2, "bad-request");
        assert!(said["message"].as_str().unwrap().contains(words), "{said}");
    }
}

#[test]
fn a_policy_that_is_wrong_stops_every_verb_with_all_that_is_wrong() {
    let desk = Desk::new();
    desk.write(
        "version = 1\n[limits]\nguest_tim = \"5ms\"\nmemory = \"1GiB\"\n[strategy.fast]\nfile = \"x\"\n",
    );
    for verb in [&["page", "keyset"][..], &["inspect", "keyset"], &["verify"], &["policy", "show"]] {
        let said = desk.refused(verb, 2, "bad-policy");
        let message = said["message"].as_str().unwrap();
        for words in [
            "line 3",
            "did you mean guest_time?",
            "line 4",
            "host.memory",
            "line 5",
            "neither digest nor key",
        ] {
            assert!(message.contains(words), "{verb:?}: {words} is not in {message}");
        }
    }
    let check = desk.run(&["policy", "check"]);
    assert_eq!(code(&check), 1);
    assert_eq!(stdout(&check).lines().count(), 3, "{}", stdout(&check));
}

#[test]
fn the_limits_and_ceilings_of_the_policy_are_those_in_effect() {
    let desk = Desk::new();
    desk.write("version = 1\n[host]\nmemory = \"16MiB\"\n[limits]\nrows = 7_000\n[strategy.keyset]\nlimits = { page_size = 10 }\n");
    let page = desk.run(&["--quiet", "--json", "page", "keyset", "--page-size", "10", "--ledger"]);
    assert_eq!(code(&page), 0, "{}", stderr(&page));
    let page: Value = serde_json::from_str(&stdout(&page)).unwrap();
    let limits = &page["ledger"]["limits"];
    assert_eq!(
        (&limits["rows"], &limits["memory"], &limits["page_size"]),
        (&7_000.into(), &(16 << 20).into(), &10.into())
    );
    desk.refused(&["page", "keyset", "--page-size", "11"], 2, "bad-request");
    desk.write("version = 1\n[strategy.keyset]\nlimits = { handles = 5 }\n");
    let said = desk.refused(&["--quiet", "page", "keyset"], 1, "budget");
    assert!(said["message"].as_str().unwrap().contains("handles (5)"), "{said}");
}

#[test]
fn a_new_policy_is_never_written_over_an_old_one_and_is_sound() {
    let desk = Desk::new();
    std::fs::remove_file(desk.policy()).unwrap();
    assert_eq!(code(&desk.run(&["policy", "new"])), 0);
    let text = desk.read();
    assert_eq!(code(&desk.run(&["policy", "check"])), 0);
    desk.refused(&["policy", "new"], 2, "bad-request");
    assert_eq!(desk.read(), text);
    let shown = desk.run(&["--json", "policy", "show"]);
    let shown: Value = serde_json::from_str(&stdout(&shown)).unwrap();
    let rows = shown["keys"].as_array().unwrap();
    let row = rows.iter().find(|row| row["key"] == "limits.guest_time").unwrap();
    assert_eq!((&row["value"], &row["changes"]), (&"\"50ms\"".into(), &"reload".into()));
    assert_eq!(code(&desk.run(&["page", "keyset"])), 0);
}

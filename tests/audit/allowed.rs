//! `policy allow` audits: what it shows before it asks, what it saves, and what it does not write.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use super::named;
use crate::support::desk::Desk;
use crate::support::{code, digest, stderr, stdout};

fn allow(desk: &Desk, strategy: &str, more: &[&str]) -> Output {
    desk.allow(Path::new(&named(strategy)), "new", &[&["--reference", "native-keyset"], more].concat())
}

fn saved(desk: &Desk) -> Vec<PathBuf> {
    let folder = desk.place.path("state").join("audits");
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_audit_is_shown_before_the_stanza_saved_and_named_in_it() {
    let desk = Desk::new();
    let ran = allow(&desk, "honest", &[]);
    let said = stdout(&ran);
    assert_eq!(code(&ran), 0, "{said}{}", stderr(&ran));
    let order =
        ["fit", "Who is it?", "Is it right?", "The audit is saved in", "[strategy.new]", "written to"];
    let places: Vec<usize> =
        order.iter().map(|words| said.find(words).unwrap_or_else(|| panic!("{words}: {said}"))).collect();
    assert!(places.is_sorted(), "{said}");

    let [saved] = &saved(&desk)[..] else { panic!("{:?}", saved(&desk)) };
    let sum = digest(saved);
    assert!(desk.read().contains(&format!("audit = \"sha256:{sum}\"")), "{}", desk.read());
    assert!(desk.recorded().contains(&sum), "{}", desk.recorded());
    let audit: Value = serde_json::from_str(&std::fs::read_to_string(saved).unwrap()).unwrap();
    assert_eq!(audit["may"]["proposed"], true);
    let codes = super::findings(&audit);
    let idle =
        audit["findings"].as_array().unwrap().iter().find(|found| found["code"] == "granted-never-used");
    let named = idle.map(|found| found["what"].as_str().unwrap().to_owned()).unwrap_or_default();
    assert!(!named.contains("columns"), "the least grants no column that was not used: {named} {codes:?}");

    // What was saved can be compared with what comes next.
    let path = saved.to_str().unwrap();
    let same = desk.run(&["--quiet", "--json", "diff", path, path]);
    assert_eq!(code(&same), 0, "{}{}", stdout(&same), stderr(&same));
    // And what was written lets in exactly this.
    let page = desk.run(&["--quiet", "page", "new"]);
    assert_eq!(code(&page), 0, "{}", stderr(&page));
    let again =
        desk.run(&["--quiet", "audit", "new", "--reference", "native-keyset", "--requests", "20", "--json"]);
    let again: Value = serde_json::from_str(&stdout(&again)).unwrap();
    assert_eq!(again["strategy"]["signature"], "digest");
}

#[test]
fn what_the_audit_calls_unfit_is_not_written_unless_that_is_said() {
    let desk = Desk::new();
    for (strategy, why) in [("early-end", "lie:early-end"), ("attach", "denied-sql")] {
        let ran = allow(&desk, strategy, &[]);
        let said = stdout(&ran);
        assert_eq!(code(&ran), 1, "{strategy}: {said}{}", stderr(&ran));
        assert!(
            said.contains(why) && said.contains("--despite-unfit") && said.contains("nothing was written")
        );
        assert_eq!(desk.read(), "version = 1\n", "{strategy}");
    }
    let recorded = desk.recorded();
    assert!(recorded.contains("\"refuse\"") && !recorded.contains("\"grant\""), "{recorded}");

    let ran = allow(&desk, "early-end", &["--despite-unfit"]);
    assert_eq!(code(&ran), 0, "{}{}", stdout(&ran), stderr(&ran));
    assert!(desk.read().contains("[strategy.new]"));
    let recorded = desk.recorded();
    assert!(recorded.contains("despite an audit that calls it unfit (") && recorded.contains("\"grant\""));
}

#[test]
fn what_cannot_be_loaded_is_not_written_whatever_is_said() {
    let desk = Desk::new();
    let ran = allow(&desk, "exports-nothing", &["--despite-unfit"]);
    assert_eq!(code(&ran), 1, "{}{}", stdout(&ran), stderr(&ran));
    assert!(stdout(&ran).contains("it cannot be loaded"), "{}", stdout(&ran));
    assert_eq!(desk.read(), "version = 1\n");
}

#[test]
fn only_the_user_can_read_a_saved_audit() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    assert_eq!(code(&allow(&desk, "honest", &[])), 0);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&desk.place.path("state").join("audits")), 0o700);
    assert_eq!(mode(&saved(&desk)[0]), 0o600);
}

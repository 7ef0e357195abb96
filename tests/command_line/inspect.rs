//! `inspect`: what a component says of itself, without running it.

use std::path::Path;

use serde_json::Value;

use crate::support::snapshots::assert_snapshot;
use crate::support::{Place, code, guest, stderr, stdout};

#[test]
fn the_strategies_import_the_projects_own_package_alone_and_are_what_they_were_agreed_to_be() {
    let place = Place::new();
    for (strategy, world) in [("baseline", "strategy"), ("keyset", "indexed-strategy")] {
        let found = inspect(&place, strategy, 0);
        let imports: Vec<&str> =
            found["imports"].as_array().unwrap().iter().map(|import| import.as_str().unwrap()).collect();
        assert!(!imports.is_empty() && imports.iter().all(|import| import.starts_with("keyhole:strategy/")));
        assert_eq!((&found["world"], &found["fit"]), (&world.into(), &true.into()));
        let ran = place.keyhole().args(["inspect", strategy]).output().unwrap();
        assert_eq!((code(&ran), stderr(&ran)), (0, String::new()));
        assert_snapshot(&format!("inspect-{strategy}"), &masked(&stdout(&ran)));
    }
}

#[test]
fn a_file_that_is_no_component_is_unfit_for_a_reason() {
    let place = Place::new();
    let whole = std::fs::read(guest("honest")).unwrap();
    let core = b"\0asm\x01\0\0\0";
    for (name, bytes, reason) in [
        ("core.wasm", &core[..], "a core module, not a component"),
        ("text.wasm", b"(component)", "WebAssembly in text form"),
        ("empty.wasm", b"", "the file is empty"),
        ("truncated.wasm", &whole[..whole.len() / 2], "unexpected end"),
        ("one-byte.wasm", &whole[..1], "it ends within its first 8 bytes"),
        ("header.wasm", &whole[..8], ""),
    ] {
        std::fs::write(place.path(name), bytes).unwrap();
        let findings = inspect(&place, name, 1);
        assert_eq!((&findings["fit"], &findings["world"]), (&false.into(), &Value::Null), "{name}");
        let why: Vec<&str> =
            findings["why_not"].as_array().unwrap().iter().map(|why| why.as_str().unwrap()).collect();
        assert!(why.iter().any(|why| why.contains(reason)), "{name}: {why:?}");
        assert!(why.iter().all(|why| !why.contains('\n')), "{name}: {why:?}");
    }
}

#[test]
fn every_prefix_of_a_component_is_unfit_and_none_breaks_the_program() {
    let place = Place::new();
    let whole = std::fs::read(guest("honest")).unwrap();
    // Every length up to the first sections, then strides, then the last bytes: each is a process.
    let lengths = (0..24).chain((24..whole.len()).step_by(2_999)).chain(whole.len() - 3..whole.len());
    for length in lengths {
        std::fs::write(place.path("prefix.wasm"), &whole[..length]).unwrap();
        let findings = inspect(&place, "prefix.wasm", 1);
        assert!(!findings["why_not"].as_array().unwrap().is_empty(), "{length} bytes");
    }
    std::fs::write(place.path("prefix.wasm"), &whole).unwrap();
    inspect(&place, "prefix.wasm", 0);
}

#[test]
fn a_native_twin_has_no_component_to_inspect() {
    let findings = inspect(&Place::new(), "native-keyset", 1);
    assert_eq!(findings["imports"], serde_json::json!([]));
    assert!(findings["why_not"][0].as_str().unwrap().contains("plain Rust"));
}

fn inspect(place: &Place, strategy: &str, exit: i32) -> Value {
    let ran = place.run(Path::new("there is no log"), &["inspect", strategy, "--json"]);
    assert_eq!((code(&ran), stderr(&ran)), (exit, String::new()), "{strategy}: {}", stdout(&ran));
    serde_json::from_str(&stdout(&ran)).unwrap()
}

/// Digest and size change with the toolchain.
fn masked(text: &str) -> String {
    let line = |line: &str| match line.split_whitespace().next() {
        Some(fact @ ("digest" | "size")) => format!("  {fact:<7}  …"),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

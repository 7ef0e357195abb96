//! Bytes that are no component, or one that was damaged.

use keyhole_log::Log;
use keyhole_log::dataset::random::Random;
use keyhole_log::grants::Grants;
use keyhole_runtime::loader::examine::{examine, refusals};

use super::{ask, honest, load, reasons};
use crate::support::wasm::with_section;
use crate::support::{Place, code, engine, refused, stdout};

#[test]
fn each_kind_of_file_that_is_no_component_is_refused_by_name() {
    let place = Place::new();
    let data = place.small_data(50);
    let precompiled = engine().wasmtime().precompile_component(&honest()).unwrap();
    let kinds: [(&str, &[u8], &str); 7] = [
        ("empty", b"", "the file is empty"),
        ("text-format", b"\n  (component)", "text form"),
        ("core-module", b"\0asm\x01\0\0\0", "a core module, not a component: pack it"),
        ("precompiled", &precompiled, "precompiled machine code"),
        ("cut", b"\0asm\x0d", "ends within its first 8 bytes"),
        ("picture", b"\x89PNG\r\n\x1a\n", "not WebAssembly"),
        ("nothing", b"\0asm\x0d\0\x01\0", "does not export keyhole:strategy/paging"),
    ];
    for (name, bytes, reason) in kinds {
        let file = place.path(&format!("{name}.wasm"));
        std::fs::write(&file, bytes).unwrap();
        let ran = place.run(&data, &["page", file.to_str().unwrap(), "--json"]);
        let error = refused(&ran, 1, "refused");
        assert!(error["message"].as_str().unwrap().contains(reason), "{name}: {error}");
        let inspected = place.run(&data, &["inspect", file.to_str().unwrap()]);
        assert_eq!(code(&inspected), 1, "{name}");
        assert!(stdout(&inspected).contains(reason), "{name}: {}", stdout(&inspected));
    }
}

#[test]
fn what_served_before_still_serves_after_a_refused_load() {
    let place = Place::new();
    let log = Log::open(&place.small_data(50)).unwrap();
    let engine = engine();
    let serving = load(&engine, &honest(), Grants::local()).unwrap();
    let before = ask(&engine, &serving, &log, 10).unwrap().len();
    for bad in [b"".to_vec(), honest()[..5000].to_vec(), with_section(&honest(), 99, b"?")] {
        assert!(!reasons(&engine, &bad).is_empty());
        assert_eq!(ask(&engine, &serving, &log, 10).unwrap().len(), before);
    }
    assert_eq!(before, 10);
}

#[test]
fn a_component_cut_anywhere_is_refused() {
    let whole = honest();
    assert_eq!(refusals(&whole, &Grants::local()), Vec::<String>::new());
    let engine = engine();
    for cut in (0..whole.len()).step_by(if cfg!(debug_assertions) { 997 } else { 13 }) {
        let kept = &whole[..cut];
        if refusals(kept, &Grants::local()).is_empty() {
            // What is missing may only be words of the toolchain's, which are sections of their own.
            assert_eq!(whole[cut], 0, "let in when cut at {cut}");
        }
    }
    for cut in [0, 8, 100, whole.len() / 2, whole.len() - 1] {
        let reasons = reasons(&engine, &whole[..cut]);
        assert!(reasons.iter().all(|reason| !reason.starts_with("compile")), "at {cut}: {reasons:?}");
    }
}

#[test]
#[ignore = "a minute: the full counts run it"]
fn a_component_cut_at_every_byte_is_refused() {
    let whole = honest();
    for cut in 0..whole.len() {
        if refusals(&whole[..cut], &Grants::local()).is_empty() {
            assert_eq!(whole[cut], 0, "let in when cut at {cut}");
        }
    }
}

/// Flips bits of a good component; returns how often the result was still valid, and one of those.
fn flip(times: usize, seed: u64) -> (usize, Vec<Vec<u8>>) {
    let whole = honest();
    let mut random = Random::new(seed);
    let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    let mut valid = 0;
    let mut kept = Vec::new();
    for _ in 0..times {
        let mut bytes = whole.clone();
        for _ in 0..=below(3) {
            bytes[below(whole.len())] ^= 1 << below(8);
        }
        if examine(&bytes).is_ok() {
            valid += 1;
            if kept.len() < 8 {
                kept.push(bytes);
            }
        }
    }
    (valid, kept)
}

#[test]
fn a_component_with_flipped_bits_is_refused_or_harmless() {
    let (valid, kept) = flip(2000, 1);
    // Much of a component is constants and names, so many are valid; most break the structure.
    assert!((1..2000).contains(&valid), "{valid}");
    let engine = engine();
    for bytes in kept {
        // Valid to us is valid to the compiler: it neither crashes nor finds another reason.
        if let Err(error) = load(&engine, &bytes, Grants::local()) {
            let text = error.to_string();
            assert!(!text.contains("crashed") && !text.contains("not a valid component"), "{text}");
        }
    }
}

#[test]
#[ignore = "minutes: the full counts run it"]
fn a_component_with_a_hundred_thousand_flips_is_refused_or_harmless() {
    let (valid, _) = flip(100_000, 2);
    assert!((1..100_000).contains(&valid), "{valid}");
    println!("100,000 flips: {valid} still valid, no panic");
}

#[test]
fn a_composed_component_is_refused() {
    let engine = engine();
    let module = b"\0asm\x01\0\0\0";
    let component = b"\0asm\x0d\0\x01\0";
    // An inner component with a core module, and one that holds another component.
    for inner in [with_section(component, 1, module), with_section(component, 4, component)] {
        let composed = with_section(&honest(), 4, &inner);
        let reasons = reasons(&engine, &composed);
        assert!(
            reasons.iter().any(|reason| reason.contains("composed of several components")),
            "{reasons:?}"
        );
    }
    // What encoders wrap an exported interface in is none.
    let plain = with_section(&honest(), 4, component);
    assert!(load(&engine, &plain, Grants::local()).is_ok());
    let imported = wat::parse_str("(component (import \"other\" (component)))").unwrap();
    let reasons = super::reasons(&engine, &imported);
    assert!(
        reasons.iter().any(|reason| reason.contains("imports a component or a core module")),
        "{reasons:?}"
    );
}

//! Components that cost more to compile than they are worth: the child's limits contain each.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use keyhole_log::Log;
use keyhole_log::grants::Grants;
use keyhole_log::limits::{Ceilings, Compiling};
use keyhole_runtime::engine::Engine;
use keyhole_runtime::loader::Loader;

use super::{ask, honest, load};
use crate::support::wasm::{module, number, section, sections, with_section};
use crate::support::{Place, binary, memory};

/// The bombs by name, each an honest strategy with one more core module.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    // local.get 0, local.get 1, i32.add, local.set 0; and a branch out of a block, each a block of its own
    // to the compiler.
    let sums = [0x20, 0, 0x20, 1, 0x6a, 0x21, 0].repeat(1_000_000);
    let branches = [0x02, 0x40, 0x20, 0, 0x0d, 0, 0x20, 1, 0x21, 0, 0x0b].repeat(600_000);
    let nested = [[0x02, 0x40].repeat(1_000_000), vec![0x0b; 1_000_000]].concat();
    let locals = [1, 0xd0, 0x86, 3, 0x7f]; // fifty thousand of i32, the most that there may be
    let two = [1, 2, 0x7f];
    let types = [number(1_000_000), [0x60, 0, 0].repeat(1_000_000)].concat();
    let many = module(900_000, &two, &[0x20, 0, 0x21, 1]);
    vec![
        ("huge-function", module(1, &two, &sums)),
        ("huge-function-of-branches", module(4, &two, &branches)),
        ("deep-nesting", module(1, &two, &nested)),
        ("many-locals", module(200, &locals, &branches[..11_000])),
        ("million-types", sections(&[section(1, &types)])),
        ("million-functions", many),
    ]
}

#[test]
fn a_compile_bomb_is_contained_by_the_childs_limits() {
    let place = Place::new();
    let log = Log::open(&place.small_data(50)).unwrap();
    let limits = Compiling {
        memory: 256 << 20,
        cpu_time: Duration::from_secs(2),
        wall_time: Duration::from_secs(20),
        ..Compiling::default()
    };
    let loader = Loader::new(binary()).with_limits(limits);
    let engine = Engine::with_loader(&Ceilings::default(), loader).unwrap();
    let serving = load(&engine, &honest(), Grants::local()).unwrap();
    let mut cut = 0;
    for (name, bomb) in bombs() {
        let bytes = with_section(&honest(), 1, &bomb);
        let before = memory("VmRSS");
        let began = Instant::now();
        let outcome = load(&engine, &bytes, Grants::local());
        let grown = memory("VmRSS").saturating_sub(before);
        println!(
            "{name}: {} KB, {:?}, {} KB more: {:?}",
            bytes.len() >> 10,
            began.elapsed(),
            grown >> 10,
            outcome.as_ref().err().map(ToString::to_string)
        );
        assert!(began.elapsed() < Duration::from_mins(1), "{name}");
        if let Err(error) = outcome {
            let text = error.to_string();
            // Not always a limit: some shapes are against the rules already.
            let limited = ["compile-memory", "compile-timeout", "compiler-crashed"];
            let limited = limited.iter().any(|reason| text.contains(reason));
            assert!(limited || text.contains("not a valid component"), "{name}: {text}");
            cut += usize::from(limited);
        }
        assert!(grown < 64 << 20, "{name}: {grown} bytes more");
        assert_eq!(ask(&engine, &serving, &log, 10).unwrap().len(), 10, "after {name}");
    }
    assert!(cut >= 2, "no more than {cut} of them met a limit");
}

#[test]
fn a_child_that_waits_for_ever_is_killed() {
    let limits = Compiling { wall_time: Duration::from_millis(300), ..Compiling::default() };
    let place = Place::new();
    let began = Instant::now();
    // It reads nothing, says nothing and does not end.
    let error = compiled_by(&place, "exec sleep 1000", limits);
    assert!(error.contains("compile-timeout: compiling it takes longer than 300ms"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_child_that_dies_or_talks_nonsense_is_a_refusal_and_not_a_hang() {
    let place = Place::new();
    let cases = [
        ("kill -SEGV $$", "compiler-crashed (signal 11)"),
        ("kill -XCPU $$", "compile-timeout"),
        ("echo 'memory allocation of 99 bytes failed' >&2; kill -ABRT $$", "compile-memory"),
        ("exit 3", "compiler-crashed (exit code 3): it said nothing"),
        ("printf 'x\\033[31m' >&2; exit 4", "compiler-crashed (exit code 4): x\\u{1b}[31m"),
        ("echo nonsense", "compiler-crashed (exit code 0)"),
        (
            "echo '{\"refused\":[],\"code\":9,\"effective\":[1,2,3,4]}'; printf abc",
            "compiler-crashed (exit code 0)",
        ),
        ("head -c 300000 /dev/zero | tr '\\0' x", "compiler-crashed"),
    ];
    for (script, expected) in cases {
        let error = compiled_by(&place, script, Compiling::default());
        assert!(error.contains(expected), "{script}: {error}");
    }
}

/// The error of a load whose compiler is a shell script.
fn compiled_by(place: &Place, script: &str, limits: Compiling) -> String {
    let program = place.path("compiler");
    std::fs::write(&program, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    let loader = Loader::new(program).with_limits(limits);
    let engine = Engine::with_loader(&Ceilings::default(), loader).unwrap();
    loop {
        let error = load(&engine, &honest(), Grants::local()).map(|_| ()).unwrap_err().to_string();
        // Another test's child, not yet started, may still hold the script open for writing.
        if !error.contains("Text file busy") {
            return error;
        }
    }
}

#[test]
fn the_childs_limits_are_in_effect() {
    let mut child = std::process::Command::new(binary())
        .args(["compile-component", "--memory", "268435456", "--cpu-time", "7", "--code-bytes", "1000000"])
        .args(["--interfaces", "log,payloads,diagnostics,scratch"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &honest()).unwrap();
    let output = child.wait_with_output().unwrap();
    let line = output.stdout.split(|byte| *byte == b'\n').next().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(line).unwrap();
    assert_eq!(answer["refused"], serde_json::json!([]), "{answer}");
    assert_eq!(answer["effective"], serde_json::json!([268_435_456, 7, 0, 3]), "{answer}");
    assert_eq!(answer["code"], output.stdout.len() - line.len() - 1);
}

#[test]
fn machine_code_that_is_larger_than_allowed_is_refused() {
    let loader =
        Loader::new(binary()).with_limits(Compiling { code_bytes: 64 << 10, ..Compiling::default() });
    let engine = Engine::with_loader(&Ceilings::default(), loader).unwrap();
    let error = load(&engine, &honest(), Grants::local()).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("compile-memory: it compiles to more than 65536 bytes"), "{error}");
}

#[test]
fn an_engine_without_a_compiler_loads_what_is_built_in_and_nothing_else() {
    let engine = Engine::new(&Ceilings::default()).unwrap();
    assert!(keyhole_runtime::registry::strategy(&engine, "keyset").is_ok());
    let error = load(&engine, &honest(), Grants::local()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("was given no compiler"), "{error}");
}

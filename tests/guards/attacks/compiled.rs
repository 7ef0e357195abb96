//! Components that are hostile before they run: to whoever parses and compiles them, and to the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyhole::engine::Engine;
use keyhole::limits::{Ceilings, Compiling};
use keyhole::loader::Loader;
use keyhole::log::Log;
use keyhole::page::Pager;
use keyhole::policy::Grants;
use keyhole::selftest::zoo;
use keyhole::strategy::{Instances, Strategy, Worker};

use super::{Attack, memory_of, request, said, told, told_why};
use crate::wasm::{module, with_section};
use crate::zoo::{Stranger, compiler};

pub(super) const ATTACKS: &[(&str, Attack)] = &[
    ("code-of-another", code_of_another),
    ("composed", composed),
    ("huge-code", huge_code),
    ("huge-function", huge_function),
    ("huge-function-in-the-host", huge_function_in_the_host),
    ("many-branches", many_branches),
    ("slow-to-compile", slow_to_compile),
    ("tail-call", tail_call),
];

/// Two locals.
const TWO: [u8; 3] = [1, 2, 0x7f];

/// So many functions of so many branches each, as a core module.
fn branches(functions: usize, each: usize) -> Vec<u8> {
    // A branch out of a block, each a block of its own to the compiler.
    module(functions, &TWO, &[0x02, 0x40, 0x20, 0, 0x0d, 0, 0x20, 1, 0x21, 0, 0x0b].repeat(each))
}

/// The honest strategy with one more core module, which it has no use for.
fn honest_with(module: &[u8], compiling: Compiling) -> Stranger {
    let bytes = with_section(&zoo::component("honest").unwrap(), 1, module);
    Stranger { bytes, compiling, ..Stranger::named("honest") }
}

fn let_in(stranger: &Stranger) -> String {
    told_why(stranger.load().map(|_| "let in".to_owned()))
}

/// One function that takes the compiler hundreds of megabytes.
fn huge_function(_: &Path) -> String {
    let compiling = Compiling { memory: 256 << 20, ..Compiling::default() };
    let honest = Stranger { compiling: compiling.clone(), ..Stranger::named("honest") };
    honest.load().unwrap();
    let_in(&honest_with(&branches(1, 100_000), compiling))
}

/// The same, and whose memory it is.
fn huge_function_in_the_host(_: &Path) -> String {
    let stranger = honest_with(&branches(1, 50_000), Compiling::default());
    let (outcome, memory) = memory_of(48 << 20, || let_in(&stranger));
    format!("{outcome}, {memory}")
}

/// Functions that take the compiler seconds.
fn many_branches(_: &Path) -> String {
    let compiling = Compiling { cpu_time: Duration::from_secs(1), ..Compiling::default() };
    let_in(&honest_with(&branches(8_000, 100), compiling))
}

/// The same, for a parent that waits no longer than a moment.
fn slow_to_compile(_: &Path) -> String {
    let compiling = Compiling { wall_time: Duration::from_millis(10), ..Compiling::default() };
    let_in(&honest_with(&branches(2_000, 100), compiling))
}

/// Machine code that is many times as large as what it was made of.
fn huge_code(_: &Path) -> String {
    let compiling = Compiling { code_bytes: 64 << 10, ..Compiling::default() };
    let_in(&Stranger { compiling, ..Stranger::named("honest") })
}

/// A part of WebAssembly that strategies do without.
fn tail_call(_: &Path) -> String {
    let stranger = honest_with(&module(1, &[0], &[0x12, 0]), Compiling::default());
    told(stranger.load().map(|_| "let in".to_owned()))
}

/// A component within the component, with code of its own.
fn composed(_: &Path) -> String {
    let inner = with_section(b"\0asm\x0d\0\x01\0", 1, &module(0, &[], &[]));
    let bytes = with_section(&zoo::component("honest").unwrap(), 4, &inner);
    told_why(Stranger { bytes, ..Stranger::named("honest") }.load().map(|_| "let in".to_owned()))
}

/// Whoever can write to the cache puts the code of one component in the place of another's.
fn code_of_another(folder: &Path) -> String {
    let (cache, state) = (folder.join("cache"), folder.join("state"));
    let entries = || -> Vec<PathBuf> {
        fs::read_dir(cache.join("code")).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let start = |name: &str| {
        let loader = Loader::new(compiler()).with_cache(&cache, &state).unwrap();
        let engine = Engine::with_loader(&Ceilings::default(), loader).unwrap();
        let bytes = zoo::component(name).unwrap();
        let strategy = Strategy::load(&engine, name, Path::new(name), &bytes, Grants::local()).unwrap();
        (engine, strategy)
    };
    start("honest");
    let right = entries().pop().unwrap();
    start("trap-in-mid-page");
    let wrong = entries().into_iter().find(|entry| *entry != right).unwrap();
    fs::rename(wrong, right).unwrap();
    let (engine, strategy) = start("honest");
    let log = Log::open(folder).unwrap();
    told(Worker::new(&engine, &strategy, Instances::Fresh, &log, None).page(&request(10)).map(said))
}

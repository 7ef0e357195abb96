//! Plays one attack on a host whose guards can be switched off by name (`KEYHOLE_GUARDS_OFF`), on a log
//! of its own, and prints what an operator would observe. `tests/guards/run` compares.
//!
//!     keyhole-guards --list       the guards' names
//!     keyhole-guards ATTACK       a strategy of the zoo, or an attack of `attacks.rs`
//!     keyhole-guards --run ARGS…  `keyhole ARGS…`, for what a guard costs: `tests/full/prices.py`
//!
//! It is its own compiler, as the binary is: `keyhole-guards compile-component …` is that process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "an attack that cannot be played ends there, which is none of the outcomes"
)]

mod attacks;
#[path = "../support/wasm.rs"]
mod wasm;
mod zoo;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use keyhole::cli::Cli;
use keyhole::contract::dataset::NOW;
use keyhole::contract::seed::seed;
use keyhole::guards::GUARDS;
use keyhole::selftest::cases::{self, ROWS};
use rustix::process::{Resource, Rlimit, setrlimit};

/// Bytes of the largest file that an attack may write, and of its memory: a guard that is off must not cost
/// whoever runs this their machine. Both lie far above what the guards allow.
const FILE_BYTES: u64 = 256 << 20;
const MEMORY_BYTES: u64 = 4 << 30;

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        eprintln!("usage: keyhole-guards --list | ATTACK");
        return ExitCode::from(2);
    };
    match name.as_str() {
        "--list" => {
            for (_, guard) in GUARDS {
                println!("{guard}");
            }
            ExitCode::SUCCESS
        }
        "--run" => run(std::env::args().skip(1)),
        "compile-component" => run(std::env::args()),
        name => play(name),
    }
}

fn play(name: &str) -> ExitCode {
    assert!(keyhole::log::heap::count(), "before anything opens a database");
    limit_process();
    let folder = tempfile::tempdir().unwrap();
    seed(folder.path(), NOW, ROWS, true, &mut |_| Ok(())).unwrap();
    let before = database(folder.path());
    let observed = match (cases::find(name), attacks::find(name)) {
        (Some(case), _) => zoo::Stranger::of(case).play(folder.path()),
        (None, Some(attack)) => attack(folder.path()),
        (None, None) => {
            eprintln!("there is no attack named {name}");
            return ExitCode::from(2);
        }
    };
    let changed = if database(folder.path()) == before { "" } else { ", and the log is another" };
    println!("{observed}{changed}");
    ExitCode::SUCCESS
}

fn limit_process() {
    for (resource, most) in
        [(Resource::Core, 0), (Resource::Fsize, FILE_BYTES), (Resource::Data, MEMORY_BYTES)]
    {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).unwrap();
    }
}

/// Runs a verb of the program; the first argument stands for the program's name.
fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    assert!(keyhole::log::heap::count(), "before anything opens a database");
    match keyhole::commands::run(Cli::parse_from(arguments)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            keyhole::commands::output::print_error(&error, false);
            ExitCode::from(error.exit_code())
        }
    }
}

fn database(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("audit.db")).unwrap()
}

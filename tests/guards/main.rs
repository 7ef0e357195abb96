//! Plays one attack on a host whose guards can be switched off by name (`KEYHOLE_GUARDS_OFF`), on a log
//! of its own, and prints what an operator would observe. `tests/guards/run` compares.
//!
//!     keyhole-guards --list       the guards' names
//!     keyhole-guards ATTACK       a strategy of the zoo, or an attack of `attacks.rs`
//!     keyhole-guards --run ARGS…  `keyhole ARGS…`, for what a guard costs: `tests/full/prices.py`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "an attack that cannot be played ends there, which is none of the outcomes"
)]

mod attacks;
mod zoo;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use keyhole::cli::Cli;
use keyhole::contract::dataset::NOW;
use keyhole::contract::seed::seed;
use keyhole::guards::GUARDS;
use keyhole::selftest::cases::{self, ROWS};

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        eprintln!("usage: keyhole-guards --list | ATTACK");
        return ExitCode::from(2);
    };
    if name == "--list" {
        for (_, guard) in GUARDS {
            println!("{guard}");
        }
        return ExitCode::SUCCESS;
    }
    if name == "--run" {
        return run(std::env::args().skip(1));
    }
    let folder = tempfile::tempdir().unwrap();
    seed(folder.path(), NOW, ROWS, true, &mut |_| Ok(())).unwrap();
    let before = database(folder.path());
    let observed = match (cases::find(&name), attacks::find(&name)) {
        (Some(case), _) => zoo::play(case, folder.path()),
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

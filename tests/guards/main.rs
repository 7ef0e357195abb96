//! Plays one attack on a host whose guards can be switched off by name (`KEYHOLE_GUARDS_OFF`), on a log
//! of its own, and prints what an operator would observe. `tests/guards/run` compares.
//!
//!     keyhole-guards --list       the guards' names
//!     keyhole-guards ATTACK       a strategy of the zoo, or an attack of `attacks.rs`
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

fn database(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("audit.db")).unwrap()
}

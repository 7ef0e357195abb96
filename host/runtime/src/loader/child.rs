//! The child process that parses and compiles a component: it limits itself, reads the bytes from
//! standard input, and answers on standard output.
//!
//! The answer is one line of JSON, and behind it the machine code, if there is any.

use std::io::{Read, Write};
use std::time::Duration;

use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};

use super::examine;
use crate::compilation::{compiling, one_line};
use keyhole_log::error::Error;
use keyhole_log::grants::Grants;
use keyhole_log::limits::Compiling;

/// What a child is told on its command line; the component itself comes on standard input.
#[derive(Debug)]
pub struct Orders {
    /// Bytes of address space.
    pub memory: u64,
    /// Seconds of processor time.
    pub cpu_time: u64,
    /// Bytes of machine code.
    pub code_bytes: u64,
    /// Whether the code counts fuel.
    pub fuel: bool,
    /// Granted interfaces of the project's package.
    pub interfaces: Vec<String>,
    /// Granted interfaces of WASI.
    pub wasi: Vec<String>,
}

/// The first line of the answer.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Why there is no code; empty if there is.
    pub refused: Vec<String>,
    /// Bytes of machine code that follow.
    pub code: u64,
    /// The limits that were in effect, read back: bytes of address space, seconds of processor time,
    /// bytes of a file that it could write, descriptors that it could open.
    pub effective: [Option<u64>; 4],
}

/// Runs the child to its end.
pub fn run(orders: &Orders) -> Result<u8, Error> {
    let failed = |source| Error::io("the compiler's limits", source);
    confine(orders.memory, Duration::from_secs(orders.cpu_time)).map_err(failed)?;
    let mut bytes = Vec::new();
    let stdin = std::io::stdin().lock();
    stdin
        .take(Compiling::default().component_bytes)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::io("standard input", source))?;
    let (refused, code) = match compile(orders, &bytes) {
        Ok(code) => (Vec::new(), code),
        Err(reasons) => (reasons, Vec::new()),
    };
    let answer = Answer { refused, code: code.len() as u64, effective: effective() };
    let line = serde_json::to_string(&answer).map_err(|error| Error::Engine(error.to_string()))?;
    let mut stdout = std::io::stdout().lock();
    let written =
        writeln!(stdout, "{line}").and_then(|()| stdout.write_all(&code)).and_then(|()| stdout.flush());
    written.map_err(|source| Error::io("standard output", source))?;
    Ok(0)
}

fn compile(orders: &Orders, bytes: &[u8]) -> Result<Vec<u8>, Vec<String>> {
    let reasons = examine::refusals(bytes, &grants(orders));
    if !reasons.is_empty() {
        return Err(reasons);
    }
    let engine = compiling(orders.fuel).map_err(|error| vec![error.to_string()])?;
    let code = engine
        .precompile_component(bytes)
        .map_err(|error| vec![format!("it is not a valid component: {}", one_line(&error))])?;
    if code.len() as u64 > orders.code_bytes {
        return Err(vec![format!("compile-memory: it compiles to more than {} bytes", orders.code_bytes)]);
    }
    Ok(code)
}

/// What is granted, by the names that this program knows.
fn grants(orders: &Orders) -> Grants {
    let known = |granted: &[String], all: &[&'static str]| {
        all.iter().copied().filter(|name| granted.iter().any(|granted| granted == name)).collect()
    };
    Grants {
        interfaces: known(&orders.interfaces, &keyhole_log::grants::INTERFACES),
        wasi: known(&orders.wasi, &keyhole_log::grants::WASI),
        ..Grants::local()
    }
}

/// Puts this process under limits that it cannot lift again, and drops what it has no use for. It was
/// started with an empty environment and nothing open but its three pipes.
fn confine(memory: u64, cpu_time: Duration) -> std::io::Result<()> {
    let limits = [
        (Resource::Core, 0, 0),
        (Resource::Fsize, 0, 0),
        (Resource::Nofile, 3, 3),
        (Resource::As, memory, memory),
        // At the lower one the system says what for, at the higher it only kills.
        (Resource::Cpu, cpu_time.as_secs(), cpu_time.as_secs() + 1),
    ];
    for (resource, current, maximum) in limits {
        rustix::process::setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })?;
    }
    rustix::thread::set_no_new_privs(true)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // It must not outlive whoever waits for its answer.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // Strategies that serve go first.
    rustix::process::nice(10)?;
    Ok(())
}

fn effective() -> [Option<u64>; 4] {
    [Resource::As, Resource::Cpu, Resource::Fsize, Resource::Nofile]
        .map(|resource| rustix::process::getrlimit(resource).current)
}

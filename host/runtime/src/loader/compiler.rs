//! The parent's side of a compilation: starts the child, feeds it, waits no longer than it may take, and
//! judges how it ended.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::child::Answer;
use super::code::Code;
use keyhole_log::error::Error;
use keyhole_log::grants::Grants;
use keyhole_log::limits::Compiling;

/// Bytes kept of what the child says on standard error; the rest is read and thrown away.
const COMPLAINT: u64 = 4096;

/// Most bytes of the answer's first line.
const LINE: usize = 256 << 10;

/// How often a wait looks whether the user gave up.
const LOOK: Duration = Duration::from_millis(50);

/// Compiles in a child process of `program`: the code, or every reason why there is none.
pub(super) fn compile(
    program: &Path,
    fuel: bool,
    bytes: &[u8],
    grants: &Grants,
    limits: &Compiling,
) -> Result<Result<Code, Vec<String>>, Error> {
    let mut command = Command::new(program);
    command
        .arg("compile-component")
        .args(["--memory", &limits.memory.to_string()])
        .args(["--cpu-time", &limits.cpu_time.as_secs().max(1).to_string()])
        .args(["--code-bytes", &limits.code_bytes.to_string()])
        .args(["--interfaces", &grants.interfaces.join(",")])
        .args(["--wasi", &crate::linker::granted_wasi(grants).join(",")])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if fuel {
        command.arg("--fuel");
    }
    let mut child = command.spawn().map_err(|source| Error::io(program, source))?;
    let ended = wait(&mut child, bytes, limits);
    // However it went, nothing is left behind.
    let _ = child.kill();
    let status = child.wait().map_err(|source| Error::io(program, source))?;
    let ended = ended?;
    Ok(match ended.answer {
        Some((answer, code)) if answer.refused.is_empty() && answer.code == code.len() as u64 => {
            Ok(Code::from_child(code))
        }
        Some((answer, _)) if !answer.refused.is_empty() => {
            Err(answer.refused.iter().take(64).map(|reason| shown(reason)).collect())
        }
        _ => Err(vec![verdict(status, ended.late, &ended.complaint, limits)]),
    })
}

/// What became of the child.
struct Ended {
    answer: Option<(Answer, Vec<u8>)>,
    complaint: String,
    late: bool,
}

fn wait(child: &mut Child, bytes: &[u8], limits: &Compiling) -> Result<Ended, Error> {
    let deadline = Instant::now() + limits.wall_time;
    let most = limits.code_bytes.saturating_add(LINE as u64);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        // A child that answers before it has read everything closes the pipe: no error of its own.
        scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(bytes)));
        let complaint = scope.spawn(move || stderr.map(complaint).unwrap_or_default());
        let (said, answer) = mpsc::channel();
        scope.spawn(move || {
            let mut bytes = Vec::new();
            if let Some(pipe) = stdout {
                let _ = pipe.take(most).read_to_end(&mut bytes);
            }
            let _ = said.send(bytes);
        });
        let mut late = false;
        let answer = loop {
            match answer.recv_timeout(LOOK) {
                Ok(bytes) => break bytes,
                Err(RecvTimeoutError::Timeout) => {
                    let over = Instant::now() >= deadline;
                    if !late && (over || keyhole_log::interrupt::requested()) {
                        late = over;
                        // The pipes end with it, and so do the threads.
                        let _ = child.kill();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break Vec::new(),
            }
        };
        keyhole_log::interrupt::check()?;
        let complaint = complaint.join().unwrap_or_default();
        Ok(Ended { answer: if late { None } else { parse(answer) }, complaint, late })
    })
}

/// The first bytes of what it complains of; the rest is drained, so that it never waits for a reader.
fn complaint(mut pipe: impl Read) -> String {
    let mut kept = Vec::new();
    let _ = (&mut pipe).take(COMPLAINT).read_to_end(&mut kept);
    let _ = std::io::copy(&mut pipe, &mut std::io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}

fn parse(mut bytes: Vec<u8>) -> Option<(Answer, Vec<u8>)> {
    let line = bytes.iter().take(LINE).position(|byte| *byte == b'\n')?;
    let answer = serde_json::from_slice(bytes.get(..line)?).ok()?;
    bytes.drain(..=line);
    Some((answer, bytes))
}

/// Why a child that gave no answer gave none.
fn verdict(status: ExitStatus, late: bool, complaint: &str, limits: &Compiling) -> String {
    if late {
        return format!("compile-timeout: compiling it takes longer than {:?}", limits.wall_time);
    }
    // Words of the allocator's, of wasmtime's, and of the system's.
    let out_of_memory = ["memory allocation of", "out of memory", "Cannot allocate memory"];
    if out_of_memory.iter().any(|words| complaint.contains(words)) {
        return format!("compile-memory: compiling it takes more than {} MiB", limits.memory >> 20);
    }
    match status.signal() {
        Some(signal) if signal == Signal::XCPU.as_raw() => {
            format!("compile-timeout: compiling it takes more than {:?} of processor time", limits.cpu_time)
        }
        Some(signal) => format!("compiler-crashed (signal {signal}): {}", shown(first_line(complaint))),
        None => format!(
            "compiler-crashed (exit code {}): {}",
            status.code().unwrap_or(-1),
            shown(first_line(complaint))
        ),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing")
}

/// Text that may hold names from the component, fit to be shown: one line and short.
fn shown(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars().take(500) {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

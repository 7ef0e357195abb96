//! What the tests share: the binary, data sets of their own, and folders that go with the test.

pub(crate) mod answers;
pub(crate) mod desk;
pub(crate) mod foreign;
pub(crate) mod snapshots;
pub(crate) mod wasm;
pub(crate) mod writer;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use keyhole_log::limits::Ceilings;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::loader::Loader;
use serde_json::Value;
use tempfile::TempDir;

/// The binary under test: `cargo build --release` makes it, beside the tests' own.
pub(crate) fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let binary = tests.parent().unwrap().parent().unwrap().join("keyhole");
    assert!(binary.exists(), "{} is missing: run `cargo build --release` first", binary.display());
    binary
}

/// A place for one test: state and cache of its own, gone with it.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary, told to keep to this place.
    pub(crate) fn keyhole(&self) -> Command {
        self.keeping(Command::new(binary()))
    }

    /// Runs the binary on a terminal of its own, where this is typed. What the terminal showed, and the exit code.
    pub(crate) fn on_terminal(&self, args: &[&str], typed: &str) -> (String, i32) {
        let spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        let mut python = self.keeping(Command::new("python3"));
        python.args(["-c", spawn]).arg(binary()).args(args).stdin(Stdio::piped());
        let mut child = python.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let echoed = typed.replace('\n', "\r\n");
        let shown = stdout(&output);
        let shown = shown.strip_prefix(&echoed).unwrap_or(&shown).replace("\r\n", "\n");
        (shown, code(&output))
    }

    fn keeping(&self, mut command: Command) -> Command {
        command
            .env("KEYHOLE_STATE", self.path("state"))
            .env("KEYHOLE_CACHE", self.path("cache"))
            .env_remove("KEYHOLE_DATA")
            .env_remove("KEYHOLE_POLICY")
            .env("NO_COLOR", "1")
            .current_dir(self.folder.path());
        command
    }

    /// Runs the binary with these arguments on a log.
    pub(crate) fn run(&self, data: &Path, args: &[&str]) -> Output {
        self.keyhole().arg("--data").arg(data).args(args).output().unwrap()
    }

    /// A copy of the contract's data set that the test may change.
    pub(crate) fn own_data(&self) -> PathBuf {
        let copy = self.path("data");
        std::fs::create_dir(&copy).unwrap();
        for file in ["audit.db", "payloads.jsonl"] {
            std::fs::copy(data().join(file), copy.join(file)).unwrap();
        }
        copy
    }

    /// A small log of the contract's kind, made for the test.
    pub(crate) fn small_data(&self, rows: u64) -> PathBuf {
        let folder = self.path("small");
        let made = self
            .keyhole()
            .args(["seed", "--rows", &rows.to_string()])
            .arg("--data")
            .arg(&folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", stderr(&made));
        folder
    }
}

/// The strategies that are right: their pages are the same.
pub(crate) const STRATEGIES: [&str; 4] = ["keyset", "baseline", "native-keyset", "native-baseline"];

/// Tells threads that it is over, whichever way the scope is left: one that went on would hide the failure.
pub(crate) struct SetOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// The contract's data set, made once and kept with the build. Only read.
pub(crate) fn data() -> &'static Path {
    static DATA: OnceLock<PathBuf> = OnceLock::new();
    DATA.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("contract-data");
        if !folder.join("audit.db").exists() {
            let made = Command::new(binary()).args(["seed", "--data"]).arg(&folder).output().unwrap();
            assert!(made.status.success(), "{}", stderr(&made));
        }
        folder
    })
}

/// An engine that compiles components from elsewhere as the binary does: in a child process of it.
pub(crate) fn engine() -> Engine {
    Engine::with_loader(&Ceilings::default(), Loader::new(binary())).unwrap()
}

/// What it printed.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it complained of.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What it complained of at last, in JSON.
pub(crate) fn error_of(output: &Output) -> Value {
    let said = stderr(output);
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("no error in {said:?}: {}", stdout(output)))
}

/// The error of a run that printed nothing else and ended with this exit code, by its own code.
pub(crate) fn refused(output: &Output, exit: i32, by: &str) -> Value {
    assert_eq!((code(output), stdout(output).as_str()), (exit, ""), "{}", stderr(output));
    let error = error_of(output);
    assert_eq!(error["code"], by, "{error}");
    error
}

/// The exit code.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

/// SHA-256 of a file, taken by another process: opening a database with ordinary calls in a process
/// that has it open drops SQLite's locks.
pub(crate) fn digest(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    assert!(output.status.success());
    stdout(&output).split_whitespace().next().unwrap().to_owned()
}

/// A figure of this process's memory in bytes, by its name in Linux's account: `VmRSS` what it has in use now,
/// `VmHWM` the most that it has had.
pub(crate) fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

/// The component that plays the hostile strategy `name`, as a file.
pub(crate) fn guest(name: &str) -> PathBuf {
    keyhole_tests::write_guest(Path::new(env!("CARGO_TARGET_TMPDIR")), name)
}

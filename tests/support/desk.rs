//! An operator's desk: a policy that a test writes, and the binary under it.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use super::{Place, code, digest, error_of, stderr, stdout};

/// A place with a small log, the keyset strategy as a file, and an empty policy.
pub(crate) struct Desk {
    pub(crate) place: Place,
    pub(crate) log: PathBuf,
    pub(crate) component: PathBuf,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        let log = place.small_data(2_000);
        let component = place.path("fast.wasm");
        std::fs::write(&component, keyhole_runtime::embedded::KEYSET).unwrap();
        let desk = Self { place, log, component };
        desk.write("version = 1\n");
        desk
    }

    /// The policy's file.
    pub(crate) fn policy(&self) -> PathBuf {
        self.place.path("keyhole.toml")
    }

    /// Writes the policy.
    pub(crate) fn write(&self, text: &str) {
        std::fs::write(self.policy(), text).unwrap();
    }

    /// Reads the policy.
    pub(crate) fn read(&self) -> String {
        std::fs::read_to_string(self.policy()).unwrap()
    }

    /// Runs the binary under the policy.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let mut command = self.place.keyhole();
        command.arg("--data").arg(&self.log).arg("--policy").arg(self.policy()).args(args).output().unwrap()
    }

    /// Runs it, and asserts that it is refused with this code, if one is named. Returns the error.
    pub(crate) fn refused(&self, args: &[&str], exit: i32, error: &str) -> Value {
        let output = self.run(&[&["--json"], args].concat());
        assert_eq!((code(&output), stdout(&output).as_str()), (exit, ""), "{args:?}: {}", stderr(&output));
        let said = error_of(&output);
        assert!(error.is_empty() || said["code"] == error, "{args:?}: {said}");
        said
    }

    /// Runs `policy allow` for a strategy's file under a name, with these options besides.
    pub(crate) fn allow(&self, file: &Path, name: &str, more: &[&str]) -> Output {
        let file = file.to_str().unwrap();
        let options = "--by Ada --reason faster --yes --requests 40 --priority normal".split(' ');
        let args = ["--quiet", "policy", "allow", file, "--as", name].into_iter().chain(options);
        self.run(&args.chain(more.iter().copied()).collect::<Vec<_>>())
    }

    /// What the decision log shows.
    pub(crate) fn recorded(&self) -> String {
        stdout(&self.run(&["--json", "decisions", "show"]))
    }

    /// A stanza for the component, with these lines besides.
    pub(crate) fn stanza(&self, lines: &str) -> String {
        format!(
            "version = 1\n[strategy.fast]\nfile = \"fast.wasm\"\ndigest = \"sha256:{}\"\n\
             interfaces = [\"log\", \"payloads\", \"diagnostics\", \"scratch\"]\n\
             columns = [\"id\", \"created_at\", \"actor_id\", \"action\"]\n\
             functions = [\"count\", \"max\", \"min\", \"row_number\", \"sum\"]\n{lines}",
            digest(&self.component)
        )
    }
}

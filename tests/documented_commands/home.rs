//! The home of a reader who types what a document says, line by line.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Output, Stdio};

use keyhole_runtime::embedded::{BASELINE, KEYSET};

use crate::documents::root;
use crate::support::{Place, binary, code, stderr};

/// A folder with a log in `data`, the files that the documents name, and the binary on the path.
pub(super) struct Home {
    place: Place,
    /// What `export` said.
    variables: Vec<(String, String)>,
    service: Option<Child>,
}

impl Home {
    /// One with a log of 300 events.
    pub(super) fn new() -> Self {
        let place = Place::new();
        std::fs::create_dir(place.path("bin")).unwrap();
        for name in ["bin/keyhole", "KEYHOLE"] {
            symlink(binary(), place.path(name)).unwrap();
        }
        for folder in ["tests", "fuzz"] {
            symlink(root().join(folder).canonicalize().unwrap(), place.path(folder)).unwrap();
        }
        // A section that says nothing makes other bytes of the same strategy.
        let successor = [KEYSET, &[0, 2, 1, b'x']].concat();
        for (name, bytes) in [("FILE.wasm", KEYSET), ("mine.wasm", BASELINE), ("NEW.wasm", &successor)] {
            std::fs::write(place.path(name), bytes).unwrap();
        }
        let home = Self { place, variables: Vec::new(), service: None };
        home.seed("data", 300);
        home
    }

    /// Makes the logs that commands of measurements name. A page 1000 takes 2,000 events.
    pub(super) fn seed_for_measurements(&self) {
        for (folder, rows) in [("DATA", 2_000), ("SMALL", 300), ("LARGE", 600)] {
            self.seed(folder, rows);
        }
    }

    fn seed(&self, folder: &str, rows: u64) {
        let ran = self.output(&format!("keyhole --data {folder} seed --rows {rows} --short-payloads"));
        assert_eq!(code(&ran), 0, "{}", stderr(&ran));
    }

    /// Runs a line in a shell.
    pub(super) fn run(&mut self, line: &str) -> Output {
        if let Some(setting) = line.strip_prefix("export ") {
            let (name, value) =
                setting.split_once('=').unwrap_or_else(|| panic!("it exports nothing: {line}"));
            self.variables.push((name.to_owned(), value.to_owned()));
        }
        self.output(line)
    }

    /// Starts a service by a line, which is to say that it serves, unless one runs already.
    pub(super) fn serve(&mut self, line: &str) {
        if self.service.is_some() {
            return;
        }
        // The shell is replaced: a signal for the child is one for the service.
        let mut command = self.shell(&format!("exec {line}"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        self.service = Some(child);
        let mut said = String::new();
        let serves = lines.by_ref().any(|next| {
            said.push_str(&next);
            next.contains("serving")
        });
        assert!(serves, "{line} serves nothing: {said}");
        std::thread::spawn(move || lines.for_each(drop));
        self.variables.push(("KEYHOLE_ADMIN".to_owned(), "admin.sock".to_owned()));
    }

    /// Ends the service, if there is one, as an operator does: with SIGTERM, which is exit code 0.
    pub(super) fn end_service(&mut self) {
        if let Some(mut service) = self.service.take() {
            let told = Command::new("kill").arg(service.id().to_string()).status().unwrap();
            assert!(told.success());
            assert_eq!(service.wait().unwrap().code(), Some(0), "SIGTERM ended the service");
        }
    }

    fn output(&self, line: &str) -> Output {
        self.shell(line).output().unwrap()
    }

    fn shell(&self, line: &str) -> Command {
        let path = format!("{}:{}", self.place.path("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.place.path("")).stdin(Stdio::null());
        command.env_clear().env("PATH", path).env("HOME", self.place.path("")).env("NO_COLOR", "1");
        // On a machine that is busy with other tests the usual limits of time strike an honest strategy too.
        for limit in ["GUEST_TIME", "WALL_TIME", "LOG_LOCK"] {
            command.env(format!("KEYHOLE_LIMITS_{limit}"), "1m");
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(service) = &mut self.service {
            // It may have ended already.
            let _ = service.kill();
            let _ = service.wait();
        }
    }
}

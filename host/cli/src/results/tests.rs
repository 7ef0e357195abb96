#![allow(clippy::unwrap_used)]

use std::os::unix::fs::symlink;

use super::*;
use crate::args::Common;

/// A log, a state folder, a cache, a policy and an input, beside a folder for results.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["log", "state/audits", "cache/code", "out"] {
            fs::create_dir_all(stage.path(folder)).unwrap();
        }
        for file in [
            "log/audit.db",
            "log/payloads.jsonl",
            "state/cursor.key",
            "state/audits/one.json",
            "cache/code/x",
            "policy",
            "in.wasm",
        ] {
            fs::write(stage.path(file), "kept").unwrap();
        }
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn rules(&self, force: bool) -> Rules {
        let common = Common {
            data: self.path("log"),
            policy: Some(self.path("policy")),
            state: Some(self.path("state")),
            cache: Some(self.path("cache")),
            instances: keyhole_log::grants::Instances::default(),
            json: false,
            out: None,
            force,
            quiet: true,
        };
        Rules { protected: Protected::of(&common, &[self.path("in.wasm")]), force }
    }

    /// Writes a page there, and says with which error it was refused.
    fn write(&self, name: &str, force: bool) -> Result<(), String> {
        let rules = self.rules(force);
        let told = |error: Error| error.code().to_owned();
        let mut file = ResultFile::open(&self.path(name), Kind::Pages, &rules).map_err(told)?;
        file.write_all(b"{\"query\": {}}\n").unwrap();
        commit(vec![file], &rules).map_err(told)
    }

    /// Every file with its content, and every folder.
    fn all(&self) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let mut found = Vec::new();
        let mut left = vec![self.folder.path().to_owned()];
        while let Some(folder) = left.pop() {
            for entry in folder.read_dir().unwrap() {
                let path = entry.unwrap().path();
                let is_folder = path.symlink_metadata().unwrap().is_dir();
                found.push((path.clone(), (!is_folder).then(|| fs::read(&path).unwrap_or_default())));
                left.extend(is_folder.then_some(path));
            }
        }
        found.sort();
        found
    }
}

const NOT_WRITTEN: Result<(), &str> = Err("not-written");

#[test]
fn what_the_run_reads_or_keeps_is_never_written_to_by_whatever_name_and_with_force_neither() {
    let stage = Stage::new();
    for (name, original) in [
        ("out/hard-db", "log/audit.db"),
        ("out/hard-key", "state/cursor.key"),
        ("out/hard-code", "cache/code/x"),
        ("out/hard-policy", "policy"),
        ("out/hard-in", "in.wasm"),
    ] {
        fs::hard_link(stage.path(original), stage.path(name)).unwrap();
    }
    symlink("../log/payloads.jsonl", stage.path("out/soft")).unwrap();
    symlink("soft", stage.path("out/soft-soft")).unwrap();
    symlink("../log/audit.db-wal", stage.path("out/soft-wal")).unwrap();
    symlink("../log", stage.path("out/way")).unwrap();
    symlink("../in.wasm", stage.path("out/soft-in")).unwrap();
    let before = stage.all();
    for name in [
        "log/audit.db",
        "log/payloads.jsonl",
        "log/audit.db-journal",
        "log/audit.db-wal",
        "log/audit.db-shm",
        "log/result",
        "out/../log/audit.db",
        "out/way/audit.db",
        "out/way/result",
        "out/hard-db",
        "out/hard-key",
        "out/hard-code",
        "out/hard-policy",
        "out/hard-in",
        "out/soft",
        "out/soft-soft",
        "out/soft-wal",
        "out/soft-in",
        "state/cursor.key",
        "state/result",
        "state/audits/result",
        "cache/code/x",
        "cache/result",
        "policy",
        "in.wasm",
        "in.wasm.minisig",
    ] {
        for force in [false, true] {
            let written = stage.write(name, force);
            assert_eq!(written.as_ref().map_err(String::as_str).copied(), NOT_WRITTEN, "{name}");
        }
    }
    assert_eq!(stage.all(), before);
}

#[test]
fn a_file_is_replaced_where_it_is_empty_or_of_the_kind_or_by_force() {
    let stage = Stage::new();
    for (name, content, is_replaced) in [
        ("out/empty", "", true),
        ("out/pages", "{\"query\": {\"page\": 1}}\n", true),
        ("out/notes", "my notes\n", false),
        ("out/json", "{\"events\": []}\n", false),
    ] {
        let path = stage.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(stage.write(name, false).is_ok(), is_replaced, "{name}");
        if !is_replaced {
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            stage.write(name, true).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"query\": {}}\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640, "the mode is kept");
    }
}

#[test]
fn a_link_stays_and_the_file_behind_it_is_replaced_or_made() {
    let stage = Stage::new();
    fs::create_dir(stage.path("out/there")).unwrap();
    symlink("there/result", stage.path("out/link")).unwrap();
    for _ in 0..2 {
        stage.write("out/link", false).unwrap();
        assert!(stage.path("out/link").is_symlink());
        assert_eq!(fs::read_to_string(stage.path("out/there/result")).unwrap(), "{\"query\": {}}\n");
    }
    assert_eq!(stage.path("out/there").read_dir().unwrap().count(), 1);
}

#[test]
fn a_result_that_is_not_put_in_place_leaves_what_was_there_and_nothing_else() {
    let stage = Stage::new();
    fs::write(stage.path("out/old"), "{\"query\": {}, \"old\": 1}\n").unwrap();
    let before = stage.all();
    let rules = stage.rules(false);
    for name in ["out/old", "out/new"] {
        let mut file = ResultFile::open(&stage.path(name), Kind::Pages, &rules).unwrap();
        file.write_all(&vec![b'x'; 100_000]).unwrap();
        file.flush().unwrap();
    }
    assert_eq!(stage.all(), before);
}

#[test]
fn what_comes_to_lie_there_while_the_run_works_is_looked_at_before_it_is_replaced() {
    let stage = Stage::new();
    let rules = stage.rules(false);
    let open = |name: &str| ResultFile::open(&stage.path(name), Kind::Pages, &rules).unwrap();

    let late = open("out/notes");
    fs::write(stage.path("out/notes"), "my notes\n").unwrap();
    assert_eq!(commit(vec![late], &rules).unwrap_err().code(), "not-written");
    assert_eq!(fs::read_to_string(stage.path("out/notes")).unwrap(), "my notes\n");

    let late = open("out/linked");
    symlink("../log/audit.db", stage.path("out/linked")).unwrap();
    assert_eq!(commit(vec![late], &rules).unwrap_err().code(), "not-written");
    assert_eq!(fs::read_to_string(stage.path("log/audit.db")).unwrap(), "kept");

    // Of several results none is put in place where one cannot be.
    let pair = vec![open("out/first"), open("out/second")];
    fs::create_dir(stage.path("out/second")).unwrap();
    assert_eq!(commit(pair, &rules).unwrap_err().code(), "not-written");
    assert!(!stage.path("out/first").exists());
}

#[test]
fn what_cannot_be_written_to_is_an_error_at_once() {
    let stage = Stage::new();
    let long = format!("out/{}", "n".repeat(300));
    for (name, code) in [
        ("out", "not-written"),
        ("out/new/", "not-written"),
        ("nowhere/result", "io"),
        ("policy/result", "io"),
        (long.as_str(), "io"),
    ] {
        assert_eq!(stage.write(name, true).unwrap_err(), code, "{name}");
    }
    assert_eq!(stage.path("out").read_dir().unwrap().count(), 0);
}

#[test]
fn a_kept_folder_is_made_when_its_files_are_there_and_goes_with_them() {
    let stage = Stage::new();
    let (rules, report) = (stage.rules(false), Kind::Json(&["mixes"]));
    let files = [("bench.json", "{\"mixes\": []}"), ("dense.service.hgrm", keyhole_lab::bench::PERCENTILES)]
        .map(|(name, text)| keyhole_lab::bench::KeptFile { name: name.into(), bytes: text.into() });
    let path = stage.path("out/a/b");

    let mut folder = KeptFolder::open(&path, report, &rules).unwrap();
    assert!(!stage.path("out/a").exists());
    drop(folder.fill(&files, &rules).unwrap());
    drop(folder);
    assert!(!stage.path("out/a").exists(), "nothing was put into it");

    for _ in 0..2 {
        let mut folder = KeptFolder::open(&path, report, &rules).unwrap();
        commit(folder.fill(&files, &rules).unwrap(), &rules).unwrap();
        drop(folder);
        assert_eq!(path.read_dir().unwrap().count(), 2);
    }
    fs::write(path.join("notes"), "mine").unwrap();
    KeptFolder::open(&path, report, &rules).unwrap();
    fs::write(path.join("mine.hlog"), "of another tool").unwrap();
    assert_eq!(KeptFolder::open(&path, report, &rules).unwrap_err().code(), "not-written");
    assert!(KeptFolder::open(&path, report, &stage.rules(true)).is_ok());
    for name in ["log", "log/kept", "state/kept", "cache/a/b", "out/a/../../cache/x"] {
        let refused = KeptFolder::open(&stage.path(name), report, &stage.rules(true)).unwrap_err();
        assert_eq!(refused.code(), "not-written", "{name}");
    }
    assert_eq!(KeptFolder::open(&stage.path("policy"), report, &rules).unwrap_err().code(), "io");
}

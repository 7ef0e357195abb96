//! What is read is never written: where a result may go, and what is left of a run that fails.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::interrupted::wait_for;
use crate::support::{Place, code, error_of, guest, stderr, stdout};

/// Every verb with what it needs to be understood, in the folder of [`Stage`].
const VERBS: [&str; 25] = [
    "demo",
    "page native-keyset",
    "page in.wasm --queries queries.jsonl",
    "serve --listen 127.0.0.1:0",
    "inspect in.wasm",
    "verify native-keyset --requests 3",
    "bench native-keyset --requests 3",
    "report bench.json",
    "policy new new.toml",
    "policy check policy.toml",
    "policy show",
    "policy allow in.wasm --as new --by me --reason none --yes",
    "audit in.wasm --requests 3 --seconds 1",
    "diff old.json new.json",
    "decisions show",
    "decisions check",
    "strategy list",
    "strategy stage in.wasm --as new",
    "strategy promote new",
    "scratch list",
    "scratch drop --all",
    "seed --rows 3",
    "selftest --quick",
    "--version",
    "page native-keyset --json",
];

/// A log, and everything else that a run reads or keeps, in one place.
struct Stage {
    place: Place,
}

impl Stage {
    fn new() -> Self {
        let place = Place::new();
        fs::rename(place.small_data(300), place.path("log")).unwrap();
        for folder in ["state", "cache/scratch", "out"] {
            fs::create_dir_all(place.path(folder)).unwrap();
        }
        fs::copy(guest("honest"), place.path("in.wasm")).unwrap();
        let audit = concat!(env!("CARGO_MANIFEST_DIR"), "/data/audit.json");
        for (file, content) in [
            ("state/cursor.key", "k".repeat(32)),
            ("cache/scratch/tables", "tables".to_owned()),
            ("policy.toml", "version = 1\n".to_owned()),
            ("queries.jsonl", "{\"page\": 1, \"page_size\": 1}\n".to_owned()),
            ("old.json", fs::read_to_string(audit).unwrap()),
            ("new.json", fs::read_to_string(audit).unwrap()),
            ("bench.json", "{}".to_owned()),
        ] {
            fs::write(place.path(file), content).unwrap();
        }
        Self { place }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    fn run(&self, line: &str) -> Output {
        let mut command = self.place.keyhole();
        command.args(["--json", "--data", "log", "--policy", "policy.toml"]);
        let requests = fs::File::open(self.path("queries.jsonl")).unwrap();
        command.args(line.split_whitespace()).stdin(requests).output().unwrap()
    }

    /// Everything in the place: mode, inode, and content.
    fn all(&self) -> Vec<(PathBuf, u32, u64, Vec<u8>)> {
        listing(&self.path(""))
    }
}

/// Everything below a folder, links as such: mode, inode, and content.
fn listing(folder: &Path) -> Vec<(PathBuf, u32, u64, Vec<u8>)> {
    use std::os::unix::fs::MetadataExt;
    let (mut found, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = left.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            left.extend(metadata.is_dir().then(|| path.clone()));
            found.push((path, metadata.mode(), metadata.ino(), content));
        }
    }
    found.sort();
    found
}

#[test]
fn no_verb_writes_its_result_to_what_a_run_reads_or_keeps_by_whatever_name() {
    let stage = Stage::new();
    for (link, to) in
        [("hard-db", "log/audit.db"), ("hard-lines", "log/payloads.jsonl"), ("hard-in", "in.wasm")]
    {
        fs::hard_link(stage.path(to), stage.path("out").join(link)).unwrap();
    }
    for (link, to) in
        [("soft-db", "../log/audit.db"), ("soft-journal", "../log/audit.db-journal"), ("way", "../log")]
    {
        symlink(to, stage.path("out").join(link)).unwrap();
    }
    fs::create_dir(stage.path("out/kept")).unwrap();
    let before = stage.all();
    let places = [
        "log/audit.db",
        "./out/../log/payloads.jsonl",
        "log/audit.db-journal",
        "log/audit.db-wal",
        "log/result",
        "out/hard-db",
        "out/hard-lines",
        "out/soft-db",
        "out/soft-journal",
        "out/way/result",
        "state/cursor.key",
        "cache/result",
        "policy.toml",
    ];
    for (number, verb) in VERBS.iter().enumerate() {
        for (other, place) in places.iter().enumerate() {
            let force = if (number + other) % 2 == 0 { "--force" } else { "" };
            let ran = stage.run(&format!("{verb} --out {place} {force}"));
            let error = error_of(&ran);
            assert_eq!((code(&ran), &error["code"]), (2, &"not-written".into()), "{verb} {place}: {error}");
            assert_eq!(error["where"], *place);
        }
    }
    for line in [
        "audit keyset --html log/audit.db",
        "audit in.wasm --html out/hard-in --force",
        "audit in.wasm --html in.wasm.minisig",
        "diff old.json new.json --html old.json --force",
        "diff old.json new.json --html ./new.json",
        "diff old.json new.json --html out/x --out out/x",
        "bench native-keyset --keep log",
        "bench native-keyset --keep out/way/kept",
        "bench native-keyset --keep state/kept --force",
        "bench native-keyset --keep out/kept --out out/kept/bench.json",
        "bench native-keyset --beside out --out out/x --force",
        "page ./in.wasm --out in.wasm",
        "page native-keyset --queries queries.jsonl --out queries.jsonl --force",
        "verify native-keyset --queries queries.jsonl --out out/../queries.jsonl --force",
        "report bench.json --out bench.json --force",
        "page native-keyset --queries - --out queries.jsonl --force",
        "policy check policy.toml --out policy.toml --force",
        "policy allow in.wasm --as x --by me --reason none --yes --out in.wasm --force",
        "policy new log/policy.toml",
        "policy new state/policy.toml",
        "strategy stage ./in.wasm --out in.wasm --force",
        "serve --token-file queries.jsonl --out queries.jsonl --force",
        "serve --listen 127.0.0.1:0 --admin log/admin.sock",
        "seed --data state/log --rows 3",
        "seed --data cache --rows 3",
    ] {
        let ran = stage.run(line);
        let error = error_of(&ran);
        assert_eq!((code(&ran), &error["code"]), (2, &"not-written".into()), "{line}: {error}");
    }
    assert_eq!(stage.all(), before);
}

#[test]
fn no_verb_replaces_a_file_that_is_no_result_of_its_kind_and_each_its_own() {
    let stage = Stage::new();
    fs::write(stage.path("out/notes"), "my notes\n").unwrap();
    for verb in VERBS {
        let ran = stage.run(&format!("{verb} --out out/notes"));
        let error = error_of(&ran);
        assert_eq!((code(&ran), &error["code"]), (2, &"not-written".into()), "{verb}: {error}");
        assert!(error["fix"].as_str().unwrap().contains("--force"), "{error}");
        assert_eq!(fs::read_to_string(stage.path("out/notes")).unwrap(), "my notes\n");
    }
    let again = [
        "page native-keyset",
        "inspect in.wasm",
        "verify native-keyset --requests 3",
        "bench native-keyset --requests 3 --warmup 1 --rounds 1",
        "policy show",
        "policy check policy.toml",
        "audit native-keyset --requests 2 --seconds 1",
        "diff old.json new.json",
        "decisions show",
        "decisions check",
        "scratch list",
        "scratch drop --all",
        "--version",
    ];
    for (number, verb) in again.iter().enumerate() {
        for json in ["", "--json"] {
            let out = format!("out/{number}{json}");
            let run = || {
                let mut command = stage.place.keyhole();
                command.args(["--quiet", "--data", "log", "--out", &out]).args(verb.split(' '));
                command.args(json.split_whitespace()).output().unwrap()
            };
            let (first, second) = (run(), run());
            for ran in [first, second] {
                assert!(code(&ran) < 2, "{verb} {json}: {}", stderr(&ran));
            }
            assert!(stage.path(&out).metadata().unwrap().len() > 0, "{verb} {json}");
        }
    }
    // Of another verb, it is a foreign file: an audit may be evidence.
    let ran = stage.run("inspect in.wasm --out out/6--json");
    assert_eq!((code(&ran), error_of(&ran)["code"].as_str()), (2, Some("not-written")));
    assert_eq!(code(&stage.run("inspect in.wasm --out out/6--json --force")), 0);
}

#[test]
fn a_run_that_fails_leaves_what_was_there_and_nothing_else() {
    let stage = Stage::new();
    assert_eq!(code(&stage.run("page native-keyset --out out/old")), 0);
    fs::write(stage.path("bad.jsonl"), "{\"page\": 1}\n{\"page\": 0}\n").unwrap();
    // Made by the first run that needs it.
    assert_eq!(code(&stage.run("page native-keyset")), 0);
    let before = listing(&stage.path("out"));
    for out in ["out/old", "out/new"] {
        for verb in [
            "page nosuch",
            "page native-keyset --queries bad.jsonl",
            "page native-keyset --queries absent.jsonl",
            "page native-keyset --after nonsense",
        ] {
            let ran = stage.run(&format!("{verb} --out {out}"));
            assert!(code(&ran) == 2, "{verb}: {}", stderr(&ran));
        }
    }
    for line in [
        "audit nosuch --html out/x.html --out out/x.json",
        "bench nosuch --keep out/kept --out out/y.json",
        "verify nosuch --out out/z",
        "report bench.json --out out/x.html",
    ] {
        assert_eq!(code(&stage.run(line)), 2, "{line}");
    }
    // A disk without room, as far as this process is concerned.
    let line = "ulimit -f 1; exec \"$0\" --data log page native-baseline --page-size 300 --out \"$1\"";
    for out in ["out/old", "out/new"] {
        let command = stage.place.keyhole();
        let program = command.get_program().to_owned();
        let mut shell = Command::new("sh");
        for (name, value) in command.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        let ran =
            shell.args(["-c", line]).arg(&program).arg(out).current_dir(stage.path("")).output().unwrap();
        assert_eq!(code(&ran), 2, "{}", stderr(&ran));
        assert!(stderr(&ran).contains(out), "{}", stderr(&ran));
    }
    assert_eq!(listing(&stage.path("out")), before);
}

#[test]
fn an_interrupted_run_leaves_what_was_there_and_no_copy_of_the_log() {
    let stage = Stage::new();
    let temporary = stage.path("tmp");
    fs::create_dir(&temporary).unwrap();
    for (line, out) in [
        ("audit keyset --seconds 60 --priority normal --json --html out/page.html", "out/audit.json"),
        ("bench native-keyset --requests 3000000 --keep out/kept", "out/bench"),
        ("verify keyset --requests 100000", "out/verify"),
        ("selftest", "out/selftest"),
    ] {
        fs::write(stage.path(out), "").unwrap();
        let before = listing(&stage.path("out"));
        for (signal, milliseconds) in [("-TERM", 100), ("-INT", 500), ("-HUP", 250)] {
            let mut command = stage.place.keyhole();
            command.args(["--data", "log", "--quiet", "--out", out]).args(line.split(' '));
            command.env("TMPDIR", &temporary).stdout(Stdio::piped()).stderr(Stdio::piped());
            let child = command.spawn().unwrap();
            wait_for(|| listing(&stage.path("out")).len() > before.len());
            std::thread::sleep(std::time::Duration::from_millis(milliseconds));
            assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
            let ended = child.wait_with_output().unwrap();
            assert_eq!(code(&ended), 130, "{line} {signal}: {}{}", stdout(&ended), stderr(&ended));
            assert_eq!(listing(&stage.path("out")), before, "{line} {signal}");
            assert_eq!(temporary.read_dir().unwrap().count(), 0, "{line} {signal}");
            let mut left = stage.path("cache").read_dir().unwrap();
            assert!(left.all(|entry| !entry.unwrap().file_name().to_string_lossy().starts_with('.')));
        }
    }
}

#[test]
fn scratch_of_a_temporary_copy_goes_with_the_copy() {
    let stage = Stage::new();
    let scratch = |line: &str| {
        let ran = stage.run(line);
        assert!(code(&ran) < 2, "{line}: {}", stderr(&ran));
        let listed: serde_json::Value = serde_json::from_str(&stdout(&stage.run("scratch list"))).unwrap();
        let log = stage.path("log/audit.db").canonicalize().unwrap();
        let logs = listed["scratch"].as_array().unwrap().iter().map(|each| each["log"].clone());
        assert!(logs.into_iter().all(|each| each == log.to_str().unwrap() || each.is_null()), "{listed}");
    };
    fs::remove_dir_all(stage.path("cache/scratch")).unwrap();
    scratch("verify keyset --reference native-keyset --requests 3");
    scratch("audit keyset --requests 3 --seconds 1");
    scratch("bench keyset --requests 3 --warmup 1 --rounds 1");
    let names = |name: &str| {
        let entries = stage.path(name).read_dir().unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(names("cache/scratch").len(), 2, "those of the two strategies, of the log itself");
    assert!(names("cache").iter().all(|name| !name.starts_with('.')), "{:?}", names("cache"));
}

#[test]
fn pipes_devices_and_descriptors_are_written_through() {
    let stage = Stage::new();
    let expected = stdout(&stage.run("page native-keyset --page-size 2"));
    let shell = |line: &str| {
        let command = stage.place.keyhole();
        let mut shell = Command::new("sh");
        for (name, value) in command.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        let line = line.replace("KEYHOLE", "\"$0\" --data log page native-keyset --page-size 2 --out");
        shell.args(["-c", &line]).arg(command.get_program()).current_dir(stage.path("")).output().unwrap()
    };
    for line in [
        "KEYHOLE /dev/stdout",
        "KEYHOLE /dev/stdout | cat",
        "KEYHOLE /proc/self/fd/1",
        "KEYHOLE /dev/fd/3 3>&1",
        "mkfifo out/pipe; cat out/pipe & KEYHOLE out/pipe; wait",
        "KEYHOLE /dev/stdout > out/file; cat out/file",
        "ln -s /dev/stdout out/link; KEYHOLE out/link",
    ] {
        let ran = shell(line);
        assert_eq!((code(&ran), stdout(&ran)), (0, expected.clone()), "{line}: {}", stderr(&ran));
    }
    let ran = shell(
        "echo before > out/log; KEYHOLE /dev/fd/3 3>> out/log; KEYHOLE /dev/fd/3 3>> out/log; cat out/log",
    );
    assert_eq!(stdout(&ran), format!("before\n{expected}{expected}"), "{}", stderr(&ran));
    assert_eq!(code(&shell("KEYHOLE /dev/null")), 0);
    assert_eq!(code(&shell("KEYHOLE /dev/full")), 2);
    assert_eq!(code(&shell("KEYHOLE /dev/fd/77")), 2);
    assert!(stage.path("out/link").is_symlink());
}

#[test]
fn a_standard_stream_that_is_a_file_of_the_log_takes_nothing() {
    let stage = Stage::new();
    let before = listing(&stage.path("log"));
    let (state, cache) = (stage.path("state"), stage.path("cache"));
    for file in ["log/payloads.jsonl", "log/audit.db"] {
        for line in [
            "page native-keyset >> FILE",
            "page native-keyset 1<> FILE",
            "page nosuch 2>> FILE",
            "page nosuch --json >> FILE 2>&1",
            "--version >> FILE",
            "page native-keyset --out /dev/fd/5 5>> FILE",
        ] {
            let line = line.replace("FILE", file);
            let mut shell = Command::new("sh");
            shell.env("KEYHOLE_STATE", &state).env("KEYHOLE_CACHE", &cache).env("KEYHOLE_DATA", "log");
            let program = stage.place.keyhole().get_program().to_owned();
            let ran = shell.args(["-c", &format!("\"$0\" {line}")]).arg(program);
            let ran = ran.current_dir(stage.path("")).output().unwrap();
            assert_eq!(code(&ran), 2, "{line}: {}", stderr(&ran));
            assert_eq!(listing(&stage.path("log")), before, "{line}");
        }
    }
}

#[test]
fn a_closed_or_full_standard_output_is_an_error_of_every_verb_and_a_closed_pipe_none() {
    let stage = Stage::new();
    let run = |line: &str, redirection: &str| {
        let mut shell = Command::new("bash");
        shell.env("KEYHOLE_STATE", stage.path("state")).env("KEYHOLE_CACHE", stage.path("cache"));
        let program = stage.place.keyhole().get_program().to_owned();
        let line = format!("\"$0\" --data log --policy policy.toml {line} {redirection}");
        shell.args(["-c", &line]).arg(program).current_dir(stage.path("")).output().unwrap()
    };
    let quick = ["--help", "page --help", "-V", "help"];
    let verbs = VERBS.iter().filter(|verb| !verb.starts_with("strategy") && !verb.starts_with("page in"));
    for verb in quick.iter().chain(verbs) {
        for closed in [">&-", "1</dev/null"] {
            let ran = run(verb, closed);
            assert_eq!(code(&ran), 2, "{verb} {closed}: {}", stderr(&ran));
            assert!(stderr(&ran).contains("standard output"), "{verb} {closed}: {}", stderr(&ran));
        }
    }
    for verb in quick.iter().chain(&["page native-keyset", "inspect in.wasm", "policy show", "scratch list"])
    {
        let ran = run(verb, "> /dev/full");
        assert_eq!(code(&ran), 2, "{verb}: {}", stderr(&ran));
        assert_eq!(code(&run(verb, "> /dev/null")), 0, "{verb}");
        assert_eq!(
            code(&run(verb, "1<> /dev/null")),
            0,
            "{verb}: as other programs open it for their children"
        );
        let ran = run(verb, "| head -c 1 > /dev/null; exit ${PIPESTATUS[0]}");
        assert_eq!((code(&ran), stderr(&ran)), (0, String::new()), "{verb}");
    }
    // Nothing goes there where the result goes to a file.
    let ran = run("page native-keyset --out out/page", ">&-");
    assert_eq!(code(&ran), 0, "{}", stderr(&ran));
    assert!(stage.path("out/page").exists());
    assert_eq!(code(&run("page nosuch", "2> /dev/full")), 2, "an error that nobody hears is one");
}

#[test]
fn an_empty_variable_counts_as_one_that_is_not_set() {
    let stage = Stage::new();
    fs::rename(stage.path("log"), stage.path("data")).unwrap();
    let home = stage.path("home");
    fs::create_dir(&home).unwrap();
    let before = stage.path("").read_dir().unwrap().count();
    for line in ["page native-keyset", "verify keyset --reference native-keyset --requests 3", "policy show"]
    {
        let mut command = stage.place.keyhole();
        for variable in [
            "KEYHOLE_DATA",
            "KEYHOLE_STATE",
            "KEYHOLE_CACHE",
            "KEYHOLE_POLICY",
            "KEYHOLE_ADMIN",
            "KEYHOLE_LIMITS_ROWS",
            "XDG_STATE_HOME",
            "XDG_CACHE_HOME",
            "TMPDIR",
            "NO_COLOR",
            "TERM",
        ] {
            command.env(variable, "");
        }
        let ran = command.env("HOME", &home).args(line.split(' ')).output().unwrap();
        // On a busy machine a page may be late, and then the answer of `verify` is no.
        assert!(code(&ran) < 2, "{line}: {}", stderr(&ran));
        assert_eq!(stage.path("").read_dir().unwrap().count(), before, "nothing lies in the working folder");
    }
    assert!(home.join(".local/state/keyhole/cursor.key").exists());
    assert!(home.join(".cache/keyhole/scratch").exists());
    let mut command = stage.place.keyhole();
    command.env("KEYHOLE_STATE", "").env("XDG_STATE_HOME", "").env("HOME", "");
    let ran = command.args(["page", "native-keyset"]).output().unwrap();
    assert_eq!(code(&ran), 2);
    assert!(stderr(&ran).contains("--state"), "{}", stderr(&ran));
}

#[test]
fn a_new_result_has_the_mode_of_the_umask_and_a_replaced_one_keeps_its_own() {
    let stage = Stage::new();
    let mode = |name: &str| stage.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(code(&stage.run("inspect in.wasm --out out/x")), 0);
    let umask = Command::new("sh").args(["-c", "umask"]).output().unwrap();
    let umask = u32::from_str_radix(stdout(&umask).trim(), 8).unwrap();
    assert_eq!(mode("out/x"), 0o666 & !umask);
    fs::set_permissions(stage.path("out/x"), fs::Permissions::from_mode(0o604)).unwrap();
    assert_eq!(code(&stage.run("inspect in.wasm --out out/x")), 0);
    assert_eq!(mode("out/x"), 0o604);
}

/// Product code that opens files for writing: one place for results, and those that keep a folder of Keyhole's own.
#[test]
fn results_are_written_in_one_place() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host");
    // The self-test changes logs that it made itself.
    let apart = ["cli/src/results/mod.rs", "lab/src/selftest/stage.rs"];
    let calls = [
        "fs::write(",
        "File::create",
        "File::options",
        "OpenOptions",
        "create_new(",
        "fs::copy(",
        "fs::rename(",
    ];
    let asked = ["env::var", "env::vars", "env::temp_dir", "tempfile::"];
    let mut files = 0;
    for name in ["cli", "lab", "proof"] {
        for (path, ..) in listing(&host.join(name).join("src")) {
            let shown = path.strip_prefix(&host).unwrap().to_str().unwrap().to_owned();
            if path.extension().is_none_or(|extension| extension != "rs")
                || shown.ends_with("tests.rs")
                || apart.contains(&shown.as_str())
            {
                continue;
            }
            files += 1;
            let source = fs::read_to_string(&path).unwrap();
            let product = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for call in calls.iter().chain(&asked) {
                assert!(
                    !product.contains(call),
                    "{shown} uses {call}: results go through host/cli/src/results, the environment through host/log/src/environment.rs"
                );
            }
        }
    }
    assert!(files > 50, "{files}");
}

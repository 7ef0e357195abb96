//! Reading leaves a data folder as it was, in every journal mode and whoever has it open, and never makes its writer
//! fail.

mod trace;
mod users;
mod writers;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::writer::Writer;
use crate::support::{Place, code, digest, refused, stderr};

/// SQLite's journal modes. The last two a connection has for itself: at rest they are as `delete`.
const MODES: [&str; 6] = ["delete", "truncate", "persist", "wal", "memory", "off"];

/// How the log's writer left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// It has the database open, and has committed.
    Open,
    /// It has it open, and has written the whole `-wal` into the database.
    Checkpointed,
    /// It has closed it.
    Closed,
    /// It was killed between two commits.
    Killed,
}

const LEFT: [Left; 4] = [Left::Open, Left::Checkpointed, Left::Closed, Left::Killed];

/// A verb that reads a log, and how it ends.
type Verb = (&'static [&'static str], i32);

const PAGES: [Verb; 2] = [
    (&["page", "keyset", "--page-size", "20", "--ledger"], 0),
    (&["page", "native-baseline", "--page", "3"], 0),
];

const VERBS: [Verb; 6] = [
    (&["page", "baseline"], 0),
    (&["page", "native-keyset"], 0),
    (&["bench", "native-keyset", "native-baseline", "--requests", "20", "--warmup", "2", "--rounds", "2"], 0),
    (&["audit", "keyset", "--seconds", "1"], 0),
    (&["inspect", "keyset"], 0),
    (&["scratch", "list"], 0),
];

/// Those that take long, however little they are told to do.
const LONG: [Verb; 3] = [
    (&["verify", "keyset", "--reference", "native-baseline", "--requests", "2"], 0),
    (&["diff", "baseline", "keyset", "--seconds", "1"], 1),
    (&["demo", "--requests", "1"], 0),
];

/// A log in a journal mode, and its writer where it is still there.
fn log(place: &Place, mode: &str, left: Left) -> (PathBuf, Option<Writer>) {
    let data = place.small_data(300);
    let mut writer = Writer::start(&data);
    writer.tell(&format!("mode {mode}"));
    writer.append(24);
    match left {
        Left::Open => (data, Some(writer)),
        Left::Checkpointed => {
            writer.tell("checkpoint TRUNCATE");
            (data, Some(writer))
        }
        Left::Closed => {
            writer.tell("close");
            (data, None)
        }
        Left::Killed => {
            writer.kill();
            (data, None)
        }
    }
}

/// Everything in a folder: owner, group, mode, size, time of the last change of each file, and its digest.
fn listing(folder: &Path) -> BTreeMap<String, String> {
    let entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        let found = entry.metadata().unwrap();
        let (owner, mode) = ((found.uid(), found.gid()), found.mode());
        let (size, changed) = (found.size(), (found.mtime(), found.mtime_nsec()));
        let shown = format!("{owner:?} {mode:o} {size} {changed:?} {}", digest(&entry.path()));
        (entry.file_name().into_string().unwrap(), shown)
    };
    std::fs::read_dir(folder).unwrap().map(entry).collect()
}

fn assert_left_alone(data: &Path, case: &str, run: impl FnOnce() -> Output, exit: i32) {
    let before = listing(data);
    let ran = run();
    assert_eq!(code(&ran), exit, "{case}: {}", stderr(&ran));
    assert_eq!(listing(data), before, "{case}");
}

/// A policy whose limits of time a busy machine does not reach: they are not what is tested here.
fn patience(place: &Place) -> PathBuf {
    let path = place.path("patient.toml");
    let times = ["log_lock = \"20s\"", "wall_time = \"60s\"", "guest_time = \"30s\"", "busy_wait = \"10s\""];
    std::fs::write(&path, format!("version = 1\n[limits]\n{}\n", times.join("\n"))).unwrap();
    path
}

/// Runs a verb on a log.
fn run(place: &Place, data: &Path, verb: &[&str]) -> Output {
    place.keyhole().arg("--policy").arg(patience(place)).arg("--data").arg(data).args(verb).output().unwrap()
}

fn every_verb(modes: &[&str], left: &[Left], verbs: &[Verb]) {
    for mode in modes {
        for &left in left {
            let place = Place::new();
            let (data, mut writer) = log(&place, mode, left);
            for (verb, exit) in verbs {
                assert_left_alone(
                    &data,
                    &format!("{verb:?}, {mode}, {left:?}"),
                    || run(&place, &data, verb),
                    *exit,
                );
            }
            // And its writer goes on, whichever one.
            let events = match &mut writer {
                Some(writer) => writer.append(8),
                None => Writer::start(&data).append(8),
            };
            let newest = events.iter().max().unwrap().id.to_string();
            let ran = run(&place, &data, &["page", "keyset", "--page-size", "50", "--json"]);
            assert!(crate::support::stdout(&ran).contains(&newest), "{mode}, {left:?}: {}", stderr(&ran));
        }
    }
}

#[test]
fn pages_leave_the_folder_as_it_was_in_every_journal_mode() {
    every_verb(&MODES, &LEFT, &PAGES);
}

#[test]
#[ignore = "takes minutes: tests/full/run"]
fn every_verb_leaves_the_folder_as_it_was_in_every_journal_mode() {
    every_verb(&MODES, &LEFT, &VERBS);
    every_verb(&["delete", "wal"], &[Left::Open, Left::Closed], &LONG);
}

#[test]
fn commits_in_a_wal_without_its_shared_memory_are_refused_and_left_to_their_writer() {
    for with_writer in [false, true] {
        let place = Place::new();
        let (data, _) = log(&place, "wal", Left::Killed);
        std::fs::remove_file(data.join("audit.db-shm")).unwrap();
        for verb in [&["--json", "page", "keyset"][..], &["--json", "page", "native-baseline"]] {
            let before = listing(&data);
            let error = refused(&run(&place, &data, verb), 2, "log-needs-recovery");
            assert!(error["message"].as_str().unwrap().contains("audit.db-wal"), "{error}");
            assert_eq!(listing(&data), before);
        }
        if with_writer {
            let newest = Writer::start(&data).append(8).iter().max().unwrap().id;
            let ran = run(&place, &data, &["--json", "page", "keyset", "--page-size", "50"]);
            assert!(crate::support::stdout(&ran).contains(&newest.to_string()), "{}", stderr(&ran));
        }
    }
}

/// SQLite would remove the `-wal` beside an empty database.
#[test]
fn an_empty_or_cut_database_is_refused_and_nothing_beside_it_is_touched() {
    for bytes in [0, 1, 99] {
        let place = Place::new();
        let (data, _) = log(&place, "wal", Left::Killed);
        std::fs::File::options().write(true).open(data.join("audit.db")).unwrap().set_len(bytes).unwrap();
        let before = listing(&data);
        let error = refused(&run(&place, &data, &["--json", "page", "keyset"]), 2, "bad-log");
        assert!(error["message"].as_str().unwrap().contains(&format!("{bytes} bytes")), "{error}");
        assert_eq!(listing(&data), before);
    }
}

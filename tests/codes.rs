//! The codes of `docs/operating.md` are what the program does: each is provoked on the command line, over the admin socket
//! or over HTTP, and ends as the table says; of a code that cannot be provoked at will it is said which test shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use minisign::KeyPair;
use rusqlite::Connection;
use serde_json::json;

use crate::serve::server::{Reply, Server};
use crate::support::desk::Desk;
use crate::support::{code, error_of, guest, stderr};

/// The repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The rows of a document's tables whose first two columns are a code and a number.
fn rows(document: &str) -> BTreeMap<String, i32> {
    let text = std::fs::read_to_string(root().join("docs").join(document)).unwrap();
    let rows = text.lines().filter_map(|line| {
        let mut columns = line.strip_prefix("| `")?.split('|');
        let code = columns.next()?.trim().strip_suffix('`')?.to_owned();
        Some((code, columns.next()?.trim().parse().ok()?))
    });
    rows.collect()
}

/// Every documented code, and the exit code that belongs to it.
fn documented() -> BTreeMap<String, i32> {
    let codes = rows("operating.md");
    assert!(codes.len() > 40, "{codes:?}");
    codes
}

/// What a case of the command line does to a desk before it runs the binary, and with which words.
type Run = fn(&Desk) -> Output;

/// A code as the command line ends with it.
const COMMAND_LINE: &[(&str, Run)] = &[
    ("denied", |desk| {
        desk.write(&desk.stanza("").replace("\"max\", ", ""));
        desk.run(&["--json", "page", "fast"])
    }),
    ("budget", |desk| of_guest(desk, "too-many-rows")),
    ("sql", |desk| of_guest(desk, "broken-sql")),
    ("handle", |desk| of_guest(desk, "forged-index")),
    ("lie", |desk| of_guest(desk, "early-end")),
    ("trapped", |desk| of_guest(desk, "trap-in-mid-page")),
    ("gave-up", |desk| {
        free(desk, &["--json", "page", guest("gives-up").to_str().unwrap(), "--action", "LOGIN"])
    }),
    ("refused", |desk| of_guest(desk, "exports-nothing")),
    ("scratch-refused", |desk| of_guest(desk, "scratch-goes-back")),
    ("not-granted", |desk| desk.run(&["--json", "page", "./fast.wasm"])),
    ("digest-mismatch", |desk| {
        desk.write(&desk.stanza(""));
        std::fs::copy(guest("honest"), &desk.component).unwrap();
        desk.run(&["--json", "page", "fast"])
    }),
    ("signature-missing", |desk| signed(desk, |_, _| None)),
    ("signature-invalid", |desk| signed(desk, |_, _| Some("no signature".to_owned()))),
    ("signed-by-another", |desk| signed(desk, |another, bytes| Some(signature(another, bytes)))),
    ("busy", |desk| {
        let writer = database(desk);
        writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
        page(desk)
    }),
    ("payload-corrupt", |desk| {
        let payloads = desk.log.join("payloads.jsonl");
        let len = std::fs::metadata(&payloads).unwrap().len();
        std::fs::write(&payloads, "x".repeat(usize::try_from(len).unwrap())).unwrap();
        page(desk)
    }),
    ("payload-too-large", |desk| {
        desk.write("version = 1\n[limits]\npayload_bytes = 1024\n");
        desk.run(&["--json", "page", "native-keyset"])
    }),
    ("bad-cell", |desk| {
        database(desk).execute_batch("UPDATE audit_events SET actor_id = 'x'").unwrap();
        page(desk)
    }),
    ("log-needs-recovery", |desk| {
        leave_a_wal(desk);
        page(desk)
    }),
    ("no-log", |desk| {
        desk.place.keyhole().args(["--json", "--data", "absent", "page", "keyset"]).output().unwrap()
    }),
    ("bad-log", |desk| {
        std::fs::write(desk.log.join("audit.db"), "no database".repeat(100)).unwrap();
        page(desk)
    }),
    ("bad-request", |desk| free(desk, &["--json", "page", "keyset", "--page-size", "1001"])),
    ("bad-cursor", |desk| free(desk, &["--json", "page", "keyset", "--after", "x"])),
    ("no-such-strategy", |desk| free(desk, &["--json", "page", "nobody"])),
    ("no-such-strategy", |desk| free(desk, &["--json", "page", "absent.wasm"])),
    ("bad-policy", |desk| {
        desk.write("version = 1\n[limits]\nrow = 1\n");
        desk.run(&["--json", "page", "keyset"])
    }),
    ("bad-decisions", |desk| {
        let honest = guest("honest");
        let args =
            ["--json", "verify", honest.to_str().unwrap(), "--reference", "native-keyset", "--requests", "2"];
        assert_eq!(code(&free(desk, &args)), 0);
        std::fs::write(desk.place.path("state").join("decisions.jsonl"), "").unwrap();
        free(desk, &args)
    }),
    ("interrupted", |desk| {
        let mut command = desk.place.keyhole();
        command.arg("--data").arg(&desk.log).args(["--json", "page", "native-keyset", "--queries", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Held to the end: without it the conversation would end by itself.
        let mut requests = child.stdin.take().unwrap();
        // Once it answers, it listens to signals.
        let asked = json!({"from_ts": 0, "to_ts": 1, "page": 1, "page_size": 1});
        writeln!(requests, "{asked}").unwrap();
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        drop(requests);
        output
    }),
    ("not-written", |desk| {
        let into = desk.log.join("page.json");
        free(desk, &["--json", "page", "keyset", "--out", into.to_str().unwrap()])
    }),
    ("io", |desk| free(desk, &["--json", "page", "keyset", "--queries", "absent.jsonl"])),
    ("bad-state", |desk| {
        let state = desk.place.path("state");
        std::fs::create_dir(&state).unwrap();
        std::fs::write(state.join("serving.json"), "what?").unwrap();
        free(desk, &["--json", "serve", "--listen", "127.0.0.1:0"])
    }),
];

/// An order as the admin socket answers it, by the words of `keyhole strategy`.
const ORDERS: &[(&str, &[&str])] = &[
    ("no-such-strategy", &["stage", "nobody"]),
    ("no-such-strategy", &["stage", "absent.wasm"]),
    ("no-such-strategy", &["promote", "nobody"]),
    ("no-such-strategy", &["pardon", "0123456789abcdef"]),
    ("not-ready", &["rollback"]),
    ("not-ready", &["drain", "keyset"]),
    ("not-granted", &["stage", "./stranger.wasm"]),
    ("digest-mismatch", &["stage", "fast"]),
    ("bad-request", &["shadow", "keyset", "--share", "2"]),
];

/// What is done to a log, and what HTTP answers then.
type Ask = fn(&Desk, &Server) -> Reply;

/// A code as HTTP answers with it.
const HTTP: &[(&str, Ask)] = &[
    ("bad-request", |_, server| server.get("/v1/events?page_size=0")),
    ("bad-cursor", |_, server| server.get("/v1/events?after=x")),
    ("busy", |desk, server| {
        let writer = database(desk);
        writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
        server.get("/v1/events")
    }),
    ("bad-cell", |desk, server| {
        database(desk).execute_batch("UPDATE audit_events SET resource_id = X'FF'").unwrap();
        server.get("/v1/events")
    }),
];

/// Codes that cannot be provoked at will from outside: the file of the test that shows it, and words that stand there.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    // By the time and the load of the machine.
    ("starved", "tests/serve/stalls.rs", "\"starved\""),
    ("crowded", "host/runtime/src/strategy/share.rs", "Error::Crowded { at_once: 2 }"),
    ("overloaded", "tests/serve/crowds.rs", "is_problem(503, \"overloaded\")"),
    ("nothing-serves", "tests/serve/readiness.rs", "is_problem(503, \"nothing-serves\")"),
    ("log-replaced", "tests/serve/readiness.rs", "\"log-replaced\""),
    ("shutting-down", "tests/service/requests.rs", "\"shutting-down\""),
    ("cancelled", "tests/hostile/deadline.rs", "\"cancelled\""),
    ("proven-liar", "tests/serve/liars.rs", "error[\"code\"] == \"proven-liar\""),
    ("scratch-unfit", "host/log/src/error/codes.rs", "Error::ScratchUnfit"),
    // By a log of some size.
    ("scratch-full", "tests/scratch/total.rs", "(1, Some(\"scratch-full\"))"),
    // The page's own check finds the lie first.
    ("differs", "host/lab/src/bench/run/tests.rs", "(\"differs\", 1)"),
    ("unknown-event", "host/runtime/src/imports/tests.rs", "Error::UnknownEvent { id: 8 }"),
    // By faults of this program's own, or of the disk.
    ("sqlite", "host/log/src/tests/texts.rs", "Err(\"sqlite\")"),
    ("engine", "host/log/src/error/codes.rs", "Error::Engine"),
];

/// Runs the binary without a policy.
fn free(desk: &Desk, args: &[&str]) -> Output {
    desk.place.run(&desk.log, args)
}

fn page(desk: &Desk) -> Output {
    free(desk, &["--json", "page", "native-keyset"])
}

fn of_guest(desk: &Desk, name: &str) -> Output {
    free(desk, &["--json", "page", guest(name).to_str().unwrap()])
}

fn database(desk: &Desk) -> Connection {
    Connection::open(desk.log.join("audit.db")).unwrap()
}

/// Commits stand in a `-wal` whose `-shm` is missing, as in a copy of a log that somebody writes to.
fn leave_a_wal(desk: &Desk) {
    let copy = desk.place.path("copy");
    let writer = database(desk);
    let commit =
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; UPDATE audit_events SET action = 'x'";
    writer.execute_batch(commit).unwrap();
    std::fs::create_dir(&copy).unwrap();
    for file in ["audit.db", "audit.db-wal"] {
        std::fs::copy(desk.log.join(file), copy.join(file)).unwrap();
    }
    drop(writer);
    for file in ["audit.db", "audit.db-wal"] {
        std::fs::copy(copy.join(file), desk.log.join(file)).unwrap();
    }
}

fn signature(by: &KeyPair, bytes: &[u8]) -> String {
    minisign::sign(None, &by.sk, bytes, None, None).unwrap().to_string()
}

/// A page of a component that a key must have signed, with what this puts beside it.
fn signed(desk: &Desk, beside: fn(&KeyPair, &[u8]) -> Option<String>) -> Output {
    let pair = || KeyPair::generate_unencrypted_keypair().unwrap();
    let (vendor, another) = (pair(), pair());
    desk.write(&desk.stanza(&format!("key = \"vendor\"\n[keys]\nvendor = \"{}\"\n", vendor.pk.to_base64())));
    if let Some(text) = beside(&another, &std::fs::read(&desk.component).unwrap()) {
        std::fs::write(desk.component.with_extension("wasm.minisig"), text).unwrap();
    }
    desk.run(&["--json", "page", "fast"])
}

/// A code without a case here is one that nobody has seen end as the table says.
#[test]
fn every_documented_code_has_a_case() {
    let documented: BTreeSet<String> = documented().into_keys().collect();
    let names = COMMAND_LINE.iter().map(|(code, _)| *code).chain(ORDERS.iter().map(|(code, _)| *code));
    let names = names.chain(HTTP.iter().map(|(code, _)| *code));
    let shown: BTreeSet<String> = names.map(str::to_owned).collect();
    let elsewhere: BTreeSet<String> = ELSEWHERE.iter().map(|(code, ..)| (*code).to_owned()).collect();
    assert!(shown.is_disjoint(&elsewhere), "{:?}", shown.intersection(&elsewhere).collect::<Vec<_>>());
    assert_eq!(documented, shown.union(&elsewhere).cloned().collect::<BTreeSet<_>>());
    for (code, file, words) in ELSEWHERE {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        assert!(text.contains(words), "{code}: {file} does not hold {words}");
    }
}

#[test]
fn the_command_line_ends_with_each_code_as_it_is_documented() {
    let documented = documented();
    let threads: Vec<_> = COMMAND_LINE
        .iter()
        .map(|(name, run)| {
            let exit = documented.get(*name).copied();
            std::thread::spawn(move || {
                let output = run(&Desk::new());
                let said = stderr(&output);
                assert_eq!(Some(code(&output)), exit, "{name}: {said}");
                let error = error_of(&output);
                assert_eq!(error["code"], *name, "{error}");
                assert!(!error["message"].as_str().unwrap().is_empty(), "{error}");
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn the_admin_socket_answers_with_each_code_and_the_command_line_ends_as_it_is_documented() {
    let (documented, statuses) = (documented(), rows("serving.md"));
    let desk = Desk::new();
    desk.write(&desk.stanza(""));
    std::fs::copy(guest("honest"), &desk.component).unwrap();
    std::fs::copy(guest("gives-up"), desk.place.path("stranger.wasm")).unwrap();
    let policy = desk.policy();
    let server = Server::start(&desk.place, &desk.log, &["--policy", policy.to_str().unwrap()]);
    for (name, words) in ORDERS {
        let mut command = desk.place.keyhole();
        let ran = command
            .arg("--json")
            .arg("strategy")
            .arg("--admin")
            .arg(&server.admin)
            .args(*words)
            .output()
            .unwrap();
        assert_eq!(Some(&code(&ran)), documented.get(*name), "{words:?}: {}", stderr(&ran));
        assert_eq!(error_of(&ran)["code"], *name, "{words:?}: {}", stderr(&ran));
    }
    let order = json!({"verb": "stage", "strategy": "nobody", "name": null, "by": null});
    let status = u16::try_from(statuses["no-such-strategy"]).unwrap();
    server.order(&order).is_problem(status, "no-such-strategy");
}

#[test]
fn http_answers_with_each_code_and_its_status_as_it_is_documented() {
    let statuses = rows("serving.md");
    let desk = Desk::new();
    let server = Server::start(&desk.place, &desk.log, &[]);
    for (name, ask) in HTTP {
        let reply = ask(&desk, &server);
        reply.is_problem(u16::try_from(statuses[*name]).unwrap(), name);
    }
    // What a code means does not depend on where it is read.
    for code in documented().keys().filter(|code| statuses.contains_key(*code)) {
        assert!((400..600).contains(&statuses[code]), "{code}");
    }
}

//! Files that are not what they were taken for: the log's, a component's, a scratch's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use keyhole::contract::dataset::NOW;
use keyhole::contract::seed::seed;
use keyhole::engine::Engine;
use keyhole::error::Error;
use keyhole::limits::{Ceilings, Limits};
use keyhole::loader::file;
use keyhole::log::Log;
use keyhole::page::Pager;
use keyhole::policy::{Grants, Policy, identity};
use keyhole::scratch::Scratch;
use keyhole::selftest::cases::ROWS;
use keyhole::selftest::zoo;
use keyhole::strategy::{Instances, Strategy, Worker};
use rusqlite::Connection;

use super::{Attack, request, said, told, told_why, worker};

pub(super) const ATTACKS: &[(&str, Attack)] = &[
    ("database-becomes-link", database_becomes_link),
    ("huge-component", huge_component),
    ("link-to-component", link_to_component),
    ("log-replaced", log_replaced),
    ("other-bytes", other_bytes),
    ("payload-without-end", payload_without_end),
    ("payloads-are-link", payloads_are_link),
    ("payloads-become-link", payloads_become_link),
    ("payloads-without-end", payloads_without_end),
    ("scratch-beside-another", scratch_beside_another),
    ("scratch-of-replaced-log", scratch_of_replaced_log),
    ("unsigned-bytes", unsigned_bytes),
];

/// A log of a hundred events beside the other.
fn another_log(folder: &Path) -> PathBuf {
    let other = folder.join("other");
    fs::create_dir(&other).unwrap();
    seed(&other, NOW, 100, true, &mut |_| Ok(())).unwrap();
    other
}

/// Has a file of the log be a symbolic link to the other log's.
fn link(folder: &Path, name: &str) {
    let other = another_log(folder);
    fs::rename(folder.join(name), folder.join("aside")).unwrap();
    symlink(other.join(name), folder.join(name)).unwrap();
}

fn page(log: &Log) -> String {
    told(worker(log, Limits::default()).page(&request(10)).map(said))
}

/// Another log is renamed over the one that is open.
fn log_replaced(folder: &Path) -> String {
    let mut worker = worker(&Log::open(folder).unwrap(), Limits::default());
    worker.page(&request(10)).unwrap();
    fs::rename(another_log(folder).join("audit.db"), folder.join("audit.db")).unwrap();
    told(worker.page(&request(10)).map(said))
}

/// The log was found, and then its database becomes a link to another.
fn database_becomes_link(folder: &Path) -> String {
    let log = Log::open(folder).unwrap();
    link(folder, "audit.db");
    page(&log)
}

/// The log was found, and then its payloads become a link to others.
fn payloads_become_link(folder: &Path) -> String {
    let log = Log::open(folder).unwrap();
    fs::copy(folder.join("payloads.jsonl"), folder.join("copy")).unwrap();
    fs::remove_file(folder.join("payloads.jsonl")).unwrap();
    symlink(folder.join("copy"), folder.join("payloads.jsonl")).unwrap();
    page(&log)
}

/// The payloads of a log are a link to begin with.
fn payloads_are_link(folder: &Path) -> String {
    fs::rename(folder.join("payloads.jsonl"), folder.join("aside")).unwrap();
    symlink(folder.join("aside"), folder.join("payloads.jsonl")).unwrap();
    Log::open(folder).map_or_else(|error| error.observed(), |log| page(&log))
}

/// The newest event's line in the payload file is joined with the next one's.
fn payload_without_end(folder: &Path) -> String {
    let log = Connection::open(folder.join("audit.db")).unwrap();
    let newest =
        "SELECT payload_offset + payload_len - 1 FROM audit_events ORDER BY created_at DESC, id DESC LIMIT 1";
    let end: i64 = log.query_row(newest, [], |row| row.get(0)).unwrap();
    drop(log);
    let path = folder.join("payloads.jsonl");
    let mut payloads = fs::read(&path).unwrap();
    payloads[usize::try_from(end).unwrap()] = b' ';
    fs::write(&path, payloads).unwrap();
    page(&Log::open(folder).unwrap())
}

/// A page's payloads are larger than what a request may read.
fn payloads_without_end(folder: &Path) -> String {
    let limits = Limits { payload_bytes: 1000, ..Limits::default() };
    told(worker(&Log::open(folder).unwrap(), limits).page(&request(10)).map(said))
}

/// A strategy's tables are filled where another's, which is in use, take up all that there may be.
fn scratch_beside_another(folder: &Path) -> String {
    let engine = Engine::new(&Ceilings::default()).unwrap();
    let filled = |log: &Path, scratch_total: u64| {
        let grants = Grants { scratch_total, ..Grants::local() };
        let strategy = Strategy::native_keyset("native-keyset", b"", grants);
        let log = Log::open(log).unwrap();
        let scratch = Scratch::new(&engine, &strategy, &log, &folder.join("cache"), None);
        scratch.ensure_filled().map(|()| scratch)
    };
    let first = filled(folder, u64::MAX).unwrap();
    told(filled(&another_log(folder), first.bytes()).map(|_| "filled".to_owned()))
}

/// Another log is put in the place of the one that a strategy's tables were made for.
fn scratch_of_replaced_log(folder: &Path) -> String {
    let engine = Engine::new(&Ceilings::default()).unwrap();
    let strategy = Strategy::native_keyset("native-keyset", b"", Grants::local());
    let scratch = |log: &Log| Scratch::new(&engine, &strategy, log, &folder.join("cache"), None);
    scratch(&Log::open(folder).unwrap()).ensure_filled().unwrap();
    let other = folder.join("other");
    seed(&other, NOW, ROWS, true, &mut |_| Ok(())).unwrap();
    // The same events in the opposite order.
    Connection::open(other.join("audit.db"))
        .unwrap()
        .execute_batch("UPDATE audit_events SET created_at = 3000000000 - created_at")
        .unwrap();
    for file in ["audit.db", "payloads.jsonl"] {
        fs::rename(other.join(file), folder.join(file)).unwrap();
    }
    let log = Log::open(folder).unwrap();
    let scratch = scratch(&log);
    told(scratch.ensure_filled().and_then(|()| {
        Worker::new(&engine, &strategy, Instances::Fresh, &log, Some(scratch)).page(&request(10)).map(said)
    }))
}

/// A component's file is as large as a disk.
fn huge_component(folder: &Path) -> String {
    let path = folder.join("huge.wasm");
    fs::File::create(&path).unwrap().set_len(65 << 20).unwrap();
    told_why(file::read(&path).map(|bytes| format!("{} MiB were read", bytes.len() >> 20)))
}

/// A component's file is a link to another, for whoever owns the link to turn.
fn link_to_component(folder: &Path) -> String {
    let path = folder.join("link.wasm");
    fs::write(folder.join("honest.wasm"), zoo::component("honest").unwrap()).unwrap();
    symlink(folder.join("honest.wasm"), &path).unwrap();
    told_why(file::read(&path).map(|_| "it was read".to_owned()))
}

/// A stanza names the digest of one component, and another lies in its file.
fn other_bytes(folder: &Path) -> String {
    let digest = keyhole::sha256(&zoo::component("honest").unwrap());
    taken_for(folder, &format!("digest = \"sha256:{digest}\"\n"))
}

/// A stanza names a key, and the component has no signature.
fn unsigned_bytes(folder: &Path) -> String {
    // Of minisign's own documentation.
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    taken_for(folder, &format!("key = \"vendor\"\n[keys]\nvendor = \"{key}\"\n"))
}

/// Whether a component is taken for the one that a stanza of these lines means.
fn taken_for(folder: &Path, lines: &str) -> String {
    let text = format!("version = 1\n[strategy.fast]\nfile = \"fast.wasm\"\n{lines}");
    let policy = Policy::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
    let bytes = zoo::component("early-end").unwrap();
    match identity::check(&policy.stanzas["fast"], &folder.join("fast.wasm"), &bytes) {
        Err(Error::Unproven { faults, .. }) => {
            faults.iter().map(|fault| fault.code).collect::<Vec<_>>().join(", ")
        }
        outcome => told(outcome.map(|()| "let in".to_owned())),
    }
}

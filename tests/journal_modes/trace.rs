//! What reading asks of the system in a log's folder: what `docs/operating.md` allows, and no other call.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use crate::support::{Place, binary, code, stderr};

use super::{LEFT, Left, MODES, PAGES, VERBS, Verb, log, patience};

/// Looks at names and files that change nothing.
const LOOKS: [&str; 14] = [
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "read",
    "pread64",
    "lseek",
    "close",
];

/// Why a call is not one of those that the table allows; None where it is. `line` is a call with its result, as
/// `strace -y` shows it.
fn wrong(line: &str) -> Option<&'static str> {
    let name = line.split('(').next().unwrap_or_default();
    let writes =
        ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"].iter().any(|flag| line.contains(flag));
    match name {
        _ if LOOKS.contains(&name) || name == "execve" => None,
        // SQLite asks for more than it needs. That the file is there is made sure of before.
        "open" | "openat" if line.contains("audit.db-wal\"") => {
            line.contains("O_TRUNC").then_some("it cuts the -wal")
        }
        "open" | "openat" => writes.then_some("it opens for writing"),
        "fcntl" if line.contains("F_WRLCK") => {
            // Asked for in vain, on a file that is open for reading; or only asked about.
            (!line.contains("F_GETLK") && !line.ends_with("= -1 EBADF (Bad file descriptor)"))
                .then_some("it takes an exclusive lock")
        }
        "fcntl" => None,
        "mmap" => line.contains("PROT_WRITE").then_some("it maps for writing"),
        // As root, to the owner that it has: nothing changes.
        "fchown" => (!line.contains("audit.db-")).then_some("it changes an owner"),
        _ => Some("no such call is allowed"),
    }
}

/// The calls of a trace that name this folder, each whole: one that another thread interrupted is put together.
fn calls(trace: &str, folder: &Path) -> Vec<String> {
    let (mut begun, mut calls) = (HashMap::new(), Vec::new());
    for line in trace.lines() {
        let Some((thread, line)) = line.split_once(' ') else { continue };
        let line = line.trim_start();
        if let Some(first) = line.strip_suffix("<unfinished ...>") {
            begun.insert(thread, first.trim_end().to_owned());
        } else if let Some((_, rest)) = line.split_once("resumed>").filter(|_| line.starts_with("<...")) {
            calls.push(begun.remove(thread).unwrap_or_default() + rest);
        } else if !line.starts_with(['+', '-']) {
            calls.push(line.to_owned());
        }
    }
    // As a name, or as what a descriptor leads to; not within what is read or written elsewhere.
    let folder = folder.to_str().unwrap();
    let (name, open, quoted) = (format!("\"{folder}"), format!("<{folder}"), format!("\\\"{folder}"));
    calls.retain(|call| call.contains(&open) || call.replace(&quoted, "").contains(&name));
    calls
}

fn assert_no_other_call(place: &Place, data: &Path, verb: &Verb, case: &str) {
    let trace = place.path("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "4096", "-e", "trace=%file,%desc", "-o"]).arg(&trace);
    strace.env("KEYHOLE_STATE", place.path("state")).env("KEYHOLE_CACHE", place.path("cache"));
    strace.arg(binary()).arg("--policy").arg(patience(place)).arg("--data").arg(data).args(verb.0);
    let ran = strace.output().unwrap();
    assert_eq!(code(&ran), verb.1, "{case}: {}", stderr(&ran));
    let calls = calls(&std::fs::read_to_string(&trace).unwrap(), data);
    assert!(calls.iter().any(|call| call.starts_with("openat")) || verb.0[0] != "page", "{case}: {calls:?}");
    for call in &calls {
        assert_eq!(wrong(call), None, "{case}: {call}");
    }
}

fn trace_all(modes: &[&str], left: &[Left], verbs: &[Verb]) {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: there is no strace here");
        return;
    }
    for mode in modes {
        for &left in left {
            let place = Place::new();
            let (data, _writer) = log(&place, mode, left);
            for verb in verbs {
                assert_no_other_call(&place, &data, verb, &format!("{verb:?}, {mode}, {left:?}"));
            }
        }
    }
}

#[test]
fn pages_make_no_other_call_in_the_folder_than_the_table_allows() {
    trace_all(&["persist", "wal"], &LEFT, &PAGES);
}

#[test]
#[ignore = "takes minutes: tests/full/run"]
fn no_verb_makes_another_call_in_the_folder_than_the_table_allows() {
    trace_all(&MODES, &LEFT, &VERBS);
}

#[test]
fn a_call_that_writes_is_told_from_one_that_reads() {
    for allowed in [
        r#"openat(AT_FDCWD</x>, "/d/audit.db", O_RDONLY|O_NOFOLLOW|O_CLOEXEC) = 7</d/audit.db>"#,
        r#"openat(AT_FDCWD</x>, "/d/audit.db-wal", O_RDWR|O_CREAT|O_NOFOLLOW, 0644) = 7</d/audit.db-wal>"#,
        "fcntl(7</d/audit.db>, F_SETLK, {l_type=F_RDLCK, l_whence=SEEK_SET, l_start=1073741824, l_len=1}) = 0",
        "fcntl(7</d/audit.db>, F_SETLK, {l_type=F_WRLCK, l_start=1}) = -1 EBADF (Bad file descriptor)",
        "mmap(NULL, 32768, PROT_READ, MAP_SHARED, 8</d/audit.db-shm>, 0) = 0x7f",
    ] {
        assert_eq!(wrong(allowed), None, "{allowed}");
    }
    for refused in [
        r#"openat(AT_FDCWD</x>, "/d/audit.db", O_RDWR|O_NOFOLLOW) = 7</d/audit.db>"#,
        r#"openat(AT_FDCWD</x>, "/d/audit.db-shm", O_RDWR|O_CREAT|O_NOFOLLOW, 0644) = 7</d/audit.db-shm>"#,
        "fcntl(7</d/audit.db>, F_SETLK, {l_type=F_WRLCK, l_start=1}) = 0",
        "mmap(NULL, 32768, PROT_READ|PROT_WRITE, MAP_SHARED, 8</d/audit.db-shm>, 0) = 0x7f",
        "pwrite64(7</d/audit.db>, \"\", 1, 0) = 1",
        "ftruncate(7</d/audit.db-shm>, 3) = 0",
        r#"unlink("/d/audit.db-wal") = 0"#,
        "fchown(7</d/audit.db>, 0, 0) = 0",
    ] {
        assert!(wrong(refused).is_some(), "{refused}");
    }
    let trace = "7 pread64(5</d/audit.db>, <unfinished ...>\n8 unlink(\"/e/x\") = 0\n7 <... pread64 resumed>\"\", 1, 0) = 1\n7 +++ exited with 0 +++";
    assert_eq!(calls(trace, Path::new("/d")), ["pread64(5</d/audit.db>,\"\", 1, 0) = 1"]);
}

//! Ctrl-C: exit code 130, and nothing temporary is left.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Place, code, stderr, stdout};

/// Generous: what is waited for takes a few seconds on a machine with nothing else to do.
const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn a_proof_leaves_no_temporary_folder_and_ends_with_130_where_it_is_interrupted() {
    for (interrupted, to_the_group) in [(true, false), (true, true), (false, false)] {
        let place = Place::new();
        let temporary = place.path("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let entries = || temporary.read_dir().unwrap().count();
        let child = proof(&place, &temporary, to_the_group);
        if interrupted {
            // The copy that is appended to is the one thing that could be left behind.
            wait_for(|| entries() > 0);
            interrupt(&child, to_the_group);
        }
        let ended = child.wait_with_output().unwrap();
        assert_eq!(code(&ended), if interrupted { 130 } else { 0 }, "{}", stderr(&ended));
        assert_eq!(entries(), 0, "the copy was left behind");
        if interrupted {
            // How far it was stands before it.
            assert!(
                stdout(&ended).is_empty() && stderr(&ended).ends_with("keyhole: interrupted\n"),
                "{}",
                stderr(&ended)
            );
        }
    }
}

#[test]
fn an_interrupted_conversation_ends_at_once_although_it_waits_for_a_request() {
    let place = Place::new();
    let log = place.small_data(100);
    let mut command = place.keyhole();
    command.arg("--data").arg(&log).args(["page", "keyset", "--queries", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    // It has begun once it has made its key.
    wait_for(|| place.path("state/cursor.key").exists());
    let interrupted = Instant::now();
    interrupt(&child, false);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(code(&ended), 130, "{}", stderr(&ended));
    assert!(interrupted.elapsed() < Duration::from_secs(8), "{:?}", interrupted.elapsed());
    drop(stdin);
}

fn proof(place: &Place, temporary: &Path, group: bool) -> Child {
    use std::os::unix::process::CommandExt;
    let mut command = place.keyhole();
    let args = "verify keyset --reference native-keyset --requests 5 --data";
    command.args(args.split(' ')).arg(place.small_data(3_000));
    if group {
        command.process_group(0);
    }
    command.env("TMPDIR", temporary).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

pub(super) fn wait_for(begun: impl Fn() -> bool) {
    let began = Instant::now();
    while !begun() {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// As the terminal does: to the whole group of processes, or to the one that is named.
fn interrupt(child: &Child, group: bool) {
    let target = if group { format!("-{}", child.id()) } else { child.id().to_string() };
    let sent = Command::new("kill").args(["-INT", "--", &target]).status().unwrap();
    assert!(sent.success());
}

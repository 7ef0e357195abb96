//! `page --queries`: a conversation, line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::json;

use super::with_log;
use crate::support::answers::Answer;
use crate::support::foreign::log_with_ties;
use crate::support::snapshots::assert_snapshot;
use crate::support::{Place, code, stderr, stdout};

/// Longer than any answer takes, so that a conversation that stalls fails and does not hang.
const PATIENCE: Duration = Duration::from_mins(1);

fn converse(place: &Place, args: &[&str]) -> (Child, Receiver<String>) {
    let mut command = place.keyhole();
    command.arg("--data").arg(log_with_ties(place)).args(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let answers = lines_of(child.stdout.take().unwrap());
    (child, answers)
}

fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if sender.send(line.unwrap()).is_err() {
                break;
            }
        }
    });
    receiver
}

#[test]
fn each_request_is_answered_before_the_next_is_written() {
    for strategy in ["baseline", "keyset", "native-baseline", "native-keyset"] {
        let place = Place::new();
        let (mut child, answers) = converse(&place, &["page", strategy, "--queries", "-"]);
        let mut stdin = child.stdin.take().unwrap();
        let mut query = json!({"from_ts": 0, "to_ts": i64::MAX, "actor_id": 5, "action": null, "page": 1, "page_size": 7});
        let mut seen = Vec::new();
        for _ in 0..5 {
            // Each request is made from the answer before.
            writeln!(stdin, "{query}").unwrap();
            let answer = Answer::read(&answers.recv_timeout(PATIENCE).unwrap());
            assert_eq!(answer.count, 7);
            seen.extend(answer.ids);
            query =
                json!({"from_ts": 0, "to_ts": i64::MAX, "actor_id": 5, "after": answer.next, "page_size": 7});
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 35, "{strategy}: no event came twice");
        drop(stdin);
        let ended = child.wait_with_output().unwrap();
        assert_eq!((code(&ended), stderr(&ended)), (0, String::new()));
        assert!(answers.recv_timeout(PATIENCE).is_err(), "nothing is said unasked");
    }
}

#[test]
fn a_bad_line_stops_the_run_and_is_named_and_the_lines_before_are_answered() {
    let (place, log) = with_log();
    let good = br#"{"from_ts": 0, "to_ts": 2000000000, "page": 1, "page_size": 2}"#;
    let queries = place.path("queries.jsonl");
    let file = queries.to_str().unwrap();
    let bad_lines: [&[u8]; 7] = [
        b"{\"from_ts\": 0",
        br#"{"from_ts": 0, "to_ts": 1, "page": 0, "page_size": 1}"#,
        br#"{"from_ts": 0, "to_ts": 1, "page": 1, "page_size": 1001}"#,
        br#"{"from_ts": 0, "to_ts": 9223372036854775808, "page": 1, "page_size": 1}"#,
        br#"{"from_ts": 0, "to_ts": 1, "page": 1, "page_size": 1, "limit": 3}"#,
        "\u{1f511}".as_bytes(),
        b"{\"from_ts\": \"\xff\"}",
    ];
    let said = bad_lines.map(|bad| {
        std::fs::write(&queries, [good, &b""[..], good, bad, good].join(&b'\n')).unwrap();
        let [plain, json] = [&[][..], &["--json"]].map(|switch| {
            let ran = place.run(&log, &[&["page", "keyset", "--queries", file], switch].concat());
            assert_eq!((code(&ran), stdout(&ran).lines().count()), (2, 2), "{bad:?}");
            stderr(&ran).replace(file, "[QUERIES]")
        });
        format!("{}\n{plain}{json}\n", String::from_utf8_lossy(bad))
    });
    assert_snapshot("bad-lines", &said.concat());
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let place = Place::new();
    let queries = place.path("queries.jsonl");
    let wanted = r#"{"from_ts": 0, "to_ts": 2000000000, "page": 3, "page_size": 50}"#;
    std::fs::write(&queries, format!("{wanted}\n").repeat(500)).unwrap();
    let log = log_with_ties(&place);
    let args = ["page", "native-keyset", "--queries", queries.to_str().unwrap()];
    for (args, first) in
        [(&args[..], "{\"query\""), (&["verify", "--quiet", "--requests", "5", "native-keyset"], "")]
    {
        let mut command = place.keyhole();
        command.arg("--data").arg(&log).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut pipe = child.stdout.take().unwrap();
        if !first.is_empty() {
            BufReader::new(&mut pipe).read_line(&mut line).unwrap();
        }
        assert!(line.starts_with(first), "{line}");
        drop(pipe);
        let ended = child.wait_with_output().unwrap();
        assert_eq!((code(&ended), stderr(&ended)), (0, String::new()), "{args:?}");
    }
}

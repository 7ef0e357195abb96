//! The end in good order, and a policy that is read again.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use keyhole_log::dataset::Random;
use serde_json::Value;

use super::server::{Reply, Server, page_request};
use crate::support::{Place, code, stdout};

/// Ends a server at a random moment while clients ask, some of them slow to read: no answer may be half an answer.
fn end_under_load(place: &Place, log: &std::path::Path, random: &mut Random) -> u64 {
    let server = Server::start(place, log, &["--rate", "0", "--deadline", "20"]);
    let (over, whole) = (AtomicBool::new(false), AtomicU64::new(0));
    let address = server.address;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    let Ok(mut stream) = std::net::TcpStream::connect(address) else { return };
                    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
                    for size in [1, 50, 1000] {
                        let request = page_request(&format!("page_size={size}"));
                        if stream.write_all(request.as_bytes()).is_err() {
                            break;
                        }
                        // Panics at half an answer.
                        let Some(reply) = Reply::read(&mut stream) else { break };
                        assert!([200, 503].contains(&reply.status), "{reply:?}");
                        whole.fetch_add(1, Relaxed);
                    }
                }
            });
        }
        for _ in 0..3 {
            // More than the system's own buffers hold: at the end, an answer is being written.
            scope.spawn(|| {
                // Told to end before this one came, it is gone.
                let Ok(mut stream) = std::net::TcpStream::connect(address) else { return };
                stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
                if stream.write_all(page_request("page_size=1000").repeat(30).as_bytes()).is_ok() {
                    whole.fetch_add(Reply::read_slowly(&mut stream), Relaxed);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(random.below(300)));
        let told = Instant::now();
        server.signal("TERM");
        let output = server.wait();
        let took = told.elapsed();
        over.store(true, Relaxed);
        assert_eq!(code(&output), 0);
        assert!(took < Duration::from_secs(25), "{took:?} with a deadline of 20 s");
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let count = |key: &str| report[key].as_u64().unwrap();
        assert_eq!(count("had"), count("finished") + count("cut"));
        let head = report["head"].as_str().unwrap();
        let checked = place.run(log, &["decisions", "check", "--head", head]);
        assert_eq!(code(&checked), 0, "{}", stdout(&checked));
    });
    whole.load(Relaxed)
}

fn ends(count: u64, seed: u64) {
    let place = Place::new();
    let log = place.small_data(2_000);
    let mut random = Random::new(seed);
    let whole: u64 = (0..count).map(|_| end_under_load(&place, &log, &mut random)).sum();
    println!("{count} ends, {whole} whole answers, no half one");
    assert!(whole > count);
}

#[test]
fn sigterm_at_any_moment_leaves_no_half_written_answer() {
    ends(20, 11);
}

/// For `./run_tests --full`.
#[test]
#[ignore = "takes minutes"]
fn a_thousand_sigterms_leave_no_half_written_answer() {
    ends(1_000, 12);
}

#[test]
fn an_interrupt_ends_it_as_well() {
    let place = Place::new();
    let server = Server::start(&place, &place.small_data(200), &[]);
    let admin = server.admin.clone();
    server.signal("INT");
    assert_eq!(code(&server.wait()), 130);
    assert!(!admin.exists(), "the socket's file is gone with it");
}

#[test]
fn a_policy_is_read_again_whole_or_not_at_all() {
    let place = Place::new();
    let policy =
        |text: &str| std::fs::write(place.path("keyhole.toml"), format!("version = 1\n{text}")).unwrap();
    policy("");
    let file = place.path("keyhole.toml").to_str().unwrap().to_owned();
    let server = Server::start(&place, &place.small_data(200), &["--policy", &file]);
    let before = server.state()["policy"].clone();
    let changed = "[serve]\nbreaker = { failures = 3, within = \"9s\" }\n";
    policy(&format!("{changed}activ = 1\n"));
    server.signal("HUP");
    let refused = server.logged("the policy was not read again: the one before stays in force");
    assert_eq!(refused["code"], "bad-policy");
    let state = server.state();
    assert_eq!((&state["policy"], &state["active"]["breaker"]["allowed"]), (&before, &5.into()));
    policy(changed);
    server.signal("HUP");
    server.logged("the policy was read again");
    let state = server.state();
    assert_ne!(state["policy"], before);
    assert_eq!(state["active"]["breaker"]["allowed"], 3);
    assert_eq!(server.page("/v1/events", "").status, 200);
}

//! A strategy that served a wrong page stays out: over failures, rests, restarts and other names, until an operator
//! pardons it.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Server, eventually};
use super::stanzas::{PATIENT, Stanzas};
use crate::support::{Place, code, digest, error_of, stderr, stdout};

const LIAR: &str = "returns-after-rest";

/// Windows that nobody lies in, that it lies in, and that it gives up in.
const HONEST: &str = "from_ts=100000&page_size=10";
const LIED: &str = "from_ts=77777&page_size=10&page=2";
const GIVEN_UP: &str = "from_ts=77778&page_size=10";

/// How long a breaker's rest is here.
const REST: Duration = Duration::from_secs(1);

fn decisions(place: &Place) -> String {
    stdout(&place.keyhole().args(["decisions", "show", "--json"]).output().unwrap())
}

fn target(query: &str) -> String {
    format!("/v1/events?{query}")
}

/// The policy of an operator who lets a liar serve first, with a reference that compares all pages.
fn policy(place: &Place) -> String {
    let serve = format!(
        "{PATIENT}[serve]\nactive = \"{LIAR}\"\nreference_share = 1.0\nproof_time = \"1s\"\n\
         breaker = {{ failures = 5, within = \"1s\" }}\n"
    );
    let mut stanzas = Stanzas::new(place, &serve);
    stanzas.let_in_guest(LIAR);
    stanzas.write()
}

/// Serves a lie behind many honest pages that wait to be compared, and fails five times before the comparison comes to
/// the lie.
fn attack(server: &Server) {
    for _ in 0..40 {
        assert_eq!(server.get(&target(HONEST)).status, 200);
    }
    assert_eq!(server.get(&target(LIED)).status, 200, "the page itself does not show the lie");
    for _ in 0..5 {
        assert!([502, 503].contains(&server.get(&target(GIVEN_UP)).status));
    }
}

/// No page is the liar's for longer than two rests.
fn stays_out(server: &Server, when: &str) {
    let began = std::time::Instant::now();
    while began.elapsed() < 2 * REST + REST / 2 {
        let reply = server.get(&target(HONEST));
        assert_eq!((reply.status, reply.header("keyhole-strategy")), (503, None), "{when}: it serves again");
        std::thread::sleep(REST / 10);
    }
}

/// The attack, the rest that it is after, and restarts.
fn replay(place: &Place, restarts: u32) {
    let (data, policy) = (place.small_data(2_000), policy(place));
    let start = || Server::start(place, &data, &["--rate", "0", "--policy", &policy]);
    let mut server = start();
    attack(&server);
    eventually(
        || format!("the lie is in no decision: {}", decisions(place)),
        || {
            decisions(place)
                .contains("taken out: it served a wrong page (lie:next-page-instead)")
                .then_some(())
        },
    );
    stays_out(&server, "after a rest");
    for _ in 0..restarts {
        server.signal("TERM");
        server.wait();
        server = start();
        stays_out(&server, "after a restart");
    }
}

/// Promise 9 of SECURITY.md: whoever served a wrong page is taken out, whatever its breaker says.
#[test]
fn a_liar_that_trips_its_own_breaker_does_not_come_back() {
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(|| replay(&Place::new(), 1))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
#[ignore = "some minutes: ./run_tests --full"]
fn a_liar_that_is_replayed_a_hundred_times_never_comes_back() {
    for round in 0..25 {
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| replay(&Place::new(), 2))).collect();
        for thread in threads {
            thread.join().unwrap();
        }
        println!("{} replays", 4 * (round + 1));
    }
}

/// It is kept out under whatever name, and wherever it would come in, until an operator says otherwise.
#[test]
fn a_proven_liar_is_staged_again_only_once_it_is_pardoned() {
    let place = Place::new();
    let policy = policy(&place);
    let path = crate::support::guest(LIAR);
    let data = place.small_data(2_000);
    let server = Server::start(&place, &data, &["--rate", "0", "--policy", &policy]);
    attack(&server);
    let listed = || -> Value { server.state()["liars"].clone() };
    eventually(|| "it is no liar".to_owned(), || (!listed().as_array().unwrap().is_empty()).then_some(()));
    assert_eq!((&listed()[0]["name"], &listed()[0]["digest"]), (&json!(LIAR), &json!(digest(&path))));

    let strategy = |args: &[&str]| {
        let mut command = place.keyhole();
        command.args(["--json", "strategy", "--admin"]).arg(&server.admin).args(args).output().unwrap()
    };
    let refused = strategy(&["stage", LIAR]);
    assert_eq!(code(&refused), 1, "{}", stderr(&refused));
    let error = error_of(&refused);
    assert!(error["code"] == "proven-liar" && error["message"].to_string().contains("next-page"), "{error}");
    server.order(&json!({"verb": "stage", "strategy": path, "name": LIAR})).is_problem(409, "proven-liar");
    assert!(decisions(&place).contains("not let in: "), "who tries it is recorded");

    let unknown = strategy(&["pardon", "0123456789abcdef"]);
    assert_eq!((code(&unknown), &error_of(&unknown)["code"]), (2, &json!("no-such-strategy")));
    let pardoned = strategy(&["pardon", &digest(&path)[..12]]);
    assert_eq!(code(&pardoned), 0, "{}", stderr(&pardoned));
    assert!(listed().as_array().unwrap().is_empty());
    assert!(decisions(&place).contains("pardoned: it served a wrong page (lie:next-page-instead)"));
    assert_eq!(server.order(&json!({"verb": "stage", "strategy": path, "name": LIAR})).status, 200);

    // A first start, of which the state folder says nothing but that.
    server.signal("TERM");
    server.wait();
    let server = Server::start(&place, &data, &["--rate", "0", "--policy", &policy]);
    assert_eq!(server.get(&target(HONEST)).status, 503, "a pardon has nobody serve");
}

/// Where the state folder knows a liar and nothing of what served, the policy's first strategy is not let in either.
#[test]
fn a_first_start_with_a_proven_liar_is_refused() {
    let place = Place::new();
    let (data, policy) = (place.small_data(2_000), policy(&place));
    let options = ["--rate", "0", "--policy", &policy];
    let server = Server::start(&place, &data, &options);
    attack(&server);
    let known = || !server.state()["liars"].as_array().unwrap().is_empty();
    eventually(|| "it is no liar".to_owned(), || known().then_some(()));
    let state = place.path("state");
    eventually(|| "it is not written".to_owned(), || state.join("liars.json").exists().then_some(()));
    server.signal("TERM");
    server.wait();
    std::fs::remove_file(state.join("serving.json")).unwrap();
    let error = Server::try_listening(&place, &data, &options).err().expect("it serves");
    assert_eq!(error["code"], "proven-liar", "{error}");
    assert!(error["fix"].to_string().contains("strategy pardon"), "{error}");
}

//! `keyhole strategy …` against a running service: each verb, for people and as JSON.

use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::Value;

use super::server::Server;
use super::stanzas::{PATIENT, Stanzas};
use crate::support::{Place, code, guest, stderr, stdout};

fn strategy(place: &Place, server: &Server, json: bool, args: &[&str]) -> Output {
    let admin = server.admin.to_str().unwrap();
    let head: &[&str] =
        if json { &["--json", "strategy", "--admin", admin] } else { &["strategy", "--admin", admin] };
    place.keyhole().args(head).args(args).output().unwrap()
}

/// What is said to a person.
fn said(place: &Place, server: &Server, args: &[&str]) -> String {
    let ran = strategy(place, server, false, args);
    assert_eq!(code(&ran), 0, "{args:?}: {}", stderr(&ran));
    stdout(&ran)
}

/// What is printed as JSON, of this kind.
fn told(place: &Place, server: &Server, args: &[&str], kind: &str) -> Value {
    let ran = strategy(place, server, true, args);
    assert_eq!(code(&ran), 0, "{args:?}: {}", stderr(&ran));
    let done: Value = serde_json::from_str(&stdout(&ran)).unwrap();
    assert!(done[kind].is_object(), "{args:?}: {done}");
    done[kind].clone()
}

/// The code of an order that is not carried out, which is the answer no.
fn refused(place: &Place, server: &Server, args: &[&str]) -> Value {
    let ran = strategy(place, server, false, args);
    assert_eq!((code(&ran), stdout(&ran).as_str()), (1, ""), "{args:?}: {}", stderr(&ran));
    assert!(stderr(&ran).starts_with("keyhole: "), "{}", stderr(&ran));
    let ran = strategy(place, server, true, args);
    assert_eq!((code(&ran), stdout(&ran).as_str()), (1, ""), "{args:?}: {}", stderr(&ran));
    serde_json::from_str(stderr(&ran).lines().last().unwrap()).unwrap()
}

/// Asks for pages while `run` goes on.
fn beside_pages<T>(server: &Server, run: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(SeqCst) {
                server.page("/v1/events?page_size=10", "");
            }
        });
        let outcome = run();
        over.store(true, SeqCst);
        outcome
    })
}

#[test]
fn each_verb_does_what_it_says_and_says_what_it_did() {
    let place = Place::new();
    let mut stanzas = Stanzas::new(&place, PATIENT);
    let (one, two) = (stanzas.let_in_keyset("one"), stanzas.let_in_keyset("two"));
    let policy = stanzas.write();
    let server = Server::start(&place, &place.small_data(1_000), &["--rate", "0", "--policy", &policy]);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (one, two) = (text(&one), text(&two));

    let listed = said(&place, &server, &["list"]);
    assert!(listed.starts_with("active    keyset (sha256:") && listed.ends_with("swaps     0\n"), "{listed}");
    assert_eq!(told(&place, &server, &["list"], "list")["active"]["name"], "keyset");

    let staged = said(&place, &server, &["stage", &one, "--as", "one"]);
    assert!(staged.starts_with("one (sha256:") && staged.contains("proven"), "{staged}");
    assert_eq!(told(&place, &server, &["stage", &two, "--as", "two"], "staged")["stage"], "proven");
    let stranger = refused(&place, &server, &["stage", &text(&guest("too-many-rows"))]);
    assert_eq!(stranger["code"], "not-granted", "{stranger}");
    assert!(stranger["lines"].as_str().unwrap().contains("[strategy."), "{stranger}");
    assert_eq!(refused(&place, &server, &["promote", "one"])["code"], "not-ready", "it has had no shadow");
    assert_eq!(refused(&place, &server, &["promote", "nobody"])["code"], "no-such-strategy");

    let shadow = |name| ["shadow", name, "--share", "1", "--requests", "20"];
    let shadowed = beside_pages(&server, || said(&place, &server, &shadow("one")));
    assert!(shadowed.contains("ready") && shadowed.contains("of 20 compared in shadow"), "{shadowed}");
    let shadowed = beside_pages(&server, || told(&place, &server, &shadow("two"), "staged"));
    assert_eq!(
        (&shadowed["stage"], &shadowed["shadow"]["requests"]),
        (&"ready".into(), &20.into()),
        "{shadowed}"
    );

    let promoted = said(&place, &server, &["promote", "one"]);
    assert!(
        promoted.starts_with("promote: one (sha256:") && promoted.contains("where keyset (sha256:"),
        "{promoted}"
    );
    assert_eq!(server.page("/v1/events", "").header("keyhole-strategy"), Some("one"));
    let promoted = told(&place, &server, &["promote", "two"], "swapped");
    assert!(promoted["to"].as_str().unwrap().starts_with("two ("), "{promoted}");

    let back = said(&place, &server, &["rollback"]);
    assert!(back.starts_with("rollback: one (sha256:"), "{back}");
    let back = told(&place, &server, &["rollback"], "swapped");
    assert!(back["to"].as_str().unwrap().starts_with("keyset ("), "{back}");
    assert_eq!(refused(&place, &server, &["rollback"])["code"], "not-ready", "there is nothing before it");

    let drained = said(&place, &server, &["drain", "one"]);
    assert!(drained.starts_with("let go: one (sha256:"), "{drained}");
    assert_eq!(told(&place, &server, &["drain", "two"], "drained")["name"], "two");
    assert_eq!(refused(&place, &server, &["drain", "keyset"])["code"], "not-ready", "it serves");
    assert_eq!(told(&place, &server, &["list"], "list")["swaps"], 4);

    let admin = server.admin.clone();
    drop(server);
    let ran =
        place.keyhole().args(["strategy", "--admin", admin.to_str().unwrap(), "list"]).output().unwrap();
    assert_eq!(code(&ran), 2);
    assert!(stderr(&ran).contains("is `keyhole serve` running?"), "{}", stderr(&ran));
}

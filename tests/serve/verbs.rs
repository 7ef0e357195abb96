//! `keyhole strategy …` against a running service: each verb, for people and as JSON.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::Value;

use super::server::Server;
use super::stanzas::{PATIENT, Stanzas};
use crate::support::{Place, code, guest, stderr, stdout};

/// An operator at the command line.
struct Operator<'a> {
    place: &'a Place,
    admin: PathBuf,
}

impl Operator<'_> {
    fn strategy(&self, first: &[&str], args: &[&str]) -> Output {
        let mut command = self.place.keyhole();
        command.args(first).args(["strategy", "--admin"]).arg(&self.admin).args(args).output().unwrap()
    }

    /// What is said to a person.
    fn said(&self, args: &[&str]) -> String {
        let ran = self.strategy(&[], args);
        assert_eq!(code(&ran), 0, "{args:?}: {}", stderr(&ran));
        stdout(&ran)
    }

    /// What is printed as JSON, of this kind.
    fn told(&self, args: &[&str], kind: &str) -> Value {
        let ran = self.strategy(&["--json"], args);
        assert_eq!(code(&ran), 0, "{args:?}: {}", stderr(&ran));
        let done: Value = serde_json::from_str(&stdout(&ran)).unwrap();
        assert!(done[kind].is_object(), "{args:?}: {done}");
        done[kind].clone()
    }

    /// The code of an order that is not carried out, which is the answer no.
    fn refused(&self, args: &[&str]) -> Value {
        self.failed(1, args)
    }

    /// The code of an order that ends with this exit code.
    fn failed(&self, exit: i32, args: &[&str]) -> Value {
        let [said, told] = [&[][..], &["--json"]].map(|first| self.strategy(first, args));
        for ran in [&said, &told] {
            assert_eq!((code(ran), stdout(ran).as_str()), (exit, ""), "{args:?}: {}", stderr(ran));
        }
        assert!(stderr(&said).starts_with("keyhole: "), "{}", stderr(&said));
        serde_json::from_str(stderr(&told).lines().last().unwrap()).unwrap()
    }
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
    let operator = Operator { place: &place, admin: server.admin.clone() };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (one, two) = (text(&one), text(&two));

    let listed = operator.said(&["list"]);
    assert!(listed.starts_with("strategies\n\n  active  keyset (sha256:"), "{listed}");
    assert!(listed.ends_with("\n  swaps   0\n"), "{listed}");
    assert_eq!(operator.told(&["list"], "list")["active"]["name"], "keyset");

    let ran = operator.strategy(&[], &["stage", &one, "--as", "one"]);
    let (staged, remarks) = (stdout(&ran), stderr(&ran));
    assert!(remarks.contains("on idle time only") && remarks.contains(" of "), "{remarks}");
    assert!(remarks.lines().count() < 12, "it says more than a line every few seconds: {remarks}");
    assert!(staged.starts_with("one (sha256:") && staged.contains("proven"), "{staged}");
    assert_eq!(operator.told(&["stage", &two, "--as", "two"], "staged")["stage"], "proven");
    let stranger = operator.refused(&["stage", &text(&guest("too-many-rows"))]);
    assert_eq!(stranger["code"], "not-granted", "{stranger}");
    assert!(stranger["lines"].as_str().unwrap().contains("[strategy."), "{stranger}");
    assert_eq!(operator.refused(&["promote", "one"])["code"], "not-ready", "it has had no shadow");
    assert_eq!(operator.failed(2, &["promote", "nobody"])["code"], "no-such-strategy");

    let shadow = |name| ["shadow", name, "--share", "1", "--requests", "20"];
    let shadowed = beside_pages(&server, || operator.said(&shadow("one")));
    assert!(shadowed.contains("ready") && shadowed.contains("of 20 compared in shadow"), "{shadowed}");
    let shadowed = beside_pages(&server, || operator.told(&shadow("two"), "staged"));
    assert!(shadowed["stage"] == "ready" && shadowed["shadow"]["requests"] == 20, "{shadowed}");

    let promoted = operator.said(&["promote", "one"]);
    assert!(promoted.starts_with("promote: one (sha256:"), "{promoted}");
    assert!(promoted.contains("where keyset (sha256:"), "{promoted}");
    assert_eq!(server.page("/v1/events", "").header("keyhole-strategy"), Some("one"));
    let promoted = operator.told(&["promote", "two"], "swapped");
    assert!(promoted["to"].as_str().unwrap().starts_with("two ("), "{promoted}");

    let back = operator.said(&["rollback"]);
    assert!(back.starts_with("rollback: one (sha256:"), "{back}");
    let back = operator.told(&["rollback"], "swapped");
    assert!(back["to"].as_str().unwrap().starts_with("keyset ("), "{back}");
    assert_eq!(operator.refused(&["rollback"])["code"], "not-ready", "there is nothing before it");

    let drained = operator.said(&["drain", "one"]);
    assert!(drained.starts_with("let go: one (sha256:"), "{drained}");
    assert_eq!(operator.told(&["drain", "two"], "drained")["name"], "two");
    assert_eq!(operator.refused(&["drain", "keyset"])["code"], "not-ready", "it serves");
    assert_eq!(operator.told(&["list"], "list")["swaps"], 4);

    drop(server);
    let ran = operator.strategy(&[], &["list"]);
    assert_eq!(code(&ran), 2);
    assert!(stderr(&ran).contains("is `keyhole serve` running?"), "{}", stderr(&ran));
}

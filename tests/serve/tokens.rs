//! Who is let in, and how often.

use std::os::unix::fs::PermissionsExt;

use super::server::Server;
use crate::support::{Place, code, stderr};

const ONE: &str = "one-0123456789abcdef0123456789abcdef";
const TWO: &str = "two-0123456789abcdef0123456789abcdef";

fn token_file(place: &Place, text: &str, mode: u32) -> String {
    let path = place.path("tokens");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn with(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[test]
fn a_missing_token_is_401_and_a_wrong_one_403() {
    let place = Place::new();
    let file = token_file(&place, &format!("{ONE}\n{TWO}\n"), 0o600);
    let server = Server::start(&place, &place.small_data(200), &["--token-file", &file]);
    for missing in ["", "Authorization: Basic YTpi\r\n", &with(ONE).repeat(2)] {
        let told = server.get_with("/v1/events", missing);
        told.is_problem(401, "unauthorized");
        assert!(told.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")));
    }
    for wrong in ["x", &ONE[1..], &ONE.to_uppercase(), &format!("{ONE}0")] {
        server.get_with("/v1/events", &with(wrong)).is_problem(403, "forbidden");
    }
    for target in ["/", "/v1/events/", "/metrics", "/v1%2fevents", "/openapi.json/", "//healthz"] {
        server.get(target).is_problem(401, "unauthorized");
    }
    assert_eq!(server.page("/v1/events", &with(TWO)).status, 200);
    assert_eq!(server.get("/healthz").status, 200);

    // A token that is taken out of the file is out at SIGHUP.
    token_file(&place, &format!("{ONE}\n"), 0o600);
    server.signal("HUP");
    server.logged("the policy was read again");
    server.get_with("/v1/events", &with(TWO)).is_problem(403, "forbidden");
    assert_eq!(server.page("/v1/events", &with(ONE)).status, 200);
}

#[test]
fn a_client_above_its_rate_waits_and_others_do_not() {
    let place = Place::new();
    let file = token_file(&place, &format!("{ONE}\n{TWO}\n"), 0o600);
    let server = Server::start(&place, &place.small_data(200), &["--token-file", &file, "--rate", "1"]);
    let replies: Vec<_> = (0..30).map(|_| server.get_with("/v1/events", &with(ONE))).collect();
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status == 429).collect();
    assert!(!refused.is_empty(), "30 requests at one a second");
    for reply in refused {
        reply.is_problem(429, "too-many-requests");
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    assert_ne!(server.get_with("/v1/events", &with(TWO)).status, 429);
    // Guesses count as their address's.
    let guesses = (0..30).map(|_| server.get_with("/v1/events", &with("guess")).status);
    assert!(guesses.filter(|&status| status == 429).count() > 0);
}

#[test]
fn an_address_of_other_machines_needs_a_token_or_a_word() {
    let place = Place::new();
    let log = place.small_data(200);
    let open = token_file(&place, ONE, 0o644);
    for (options, said) in [
        (&["--listen", "0.0.0.0:0"][..], "--token-file"),
        (&["--listen", "[::]:0"], "--no-auth"),
        (&["--token-file", &open], "others may read it"),
        (&["--token-file", "/nonexistent"], "there is no file /nonexistent"),
    ] {
        let ran = place.run(&log, &[&["serve"], options].concat());
        assert_eq!(code(&ran), 2, "{options:?}: {}", stderr(&ran));
        assert!(stderr(&ran).contains(said), "{options:?}: {}", stderr(&ran));
    }
}

//! A policy for a server, written stanza by stanza, and a strategy's whole way to the service over the admin socket.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::server::{Server, eventually};
use crate::support::{Place, guest};
use keyhole_log::grants::{FUNCTIONS, KEY_COLUMNS, SHOWN_COLUMNS};

/// Limits that a machine which is busy with other tests does not overrun.
pub(super) const PATIENT: &str =
    "[limits]\nguest_time = \"5s\"\nlog_lock = \"5s\"\nwall_time = \"20s\"\nbusy_wait = \"5s\"\n";

/// The policy.
pub(super) struct Stanzas<'a> {
    place: &'a Place,
    text: String,
}

impl<'a> Stanzas<'a> {
    /// One with these lines at its head, beside its version.
    pub(super) fn new(place: &'a Place, head: &str) -> Self {
        Self { place, text: format!("version = 1\n{head}") }
    }

    /// Lets in the keyset strategy under another name and digest: its code is the same to the last byte.
    pub(super) fn let_in_keyset(&mut self, name: &str) -> PathBuf {
        let mut bytes = keyhole_runtime::embedded::KEYSET.to_vec();
        // A custom section that holds nothing but its name.
        let length = u8::try_from(name.len()).unwrap();
        bytes.extend([0, length + 1, length]);
        bytes.extend(name.as_bytes());
        let path = self.place.path(&format!("{name}.wasm"));
        std::fs::write(&path, &bytes).unwrap();
        self.text += &format!(
            "[strategy.{name}]\nfile = \"{name}.wasm\"\ndigest = \"sha256:{}\"\n\
             interfaces = [\"log\", \"payloads\", \"diagnostics\", \"scratch\"]\ncolumns = {KEY_COLUMNS:?}\n\
             functions = {FUNCTIONS:?}\n",
            keyhole_log::hash::sha256(&bytes)
        );
        path
    }

    /// Lets in a hostile strategy.
    pub(super) fn let_in_guest(&mut self, name: &str) -> PathBuf {
        let path = guest(name);
        self.text += &format!(
            "[strategy.{name}]\nfile = \"{}\"\ndigest = \"sha256:{}\"\n\
             interfaces = [\"log\", \"payloads\", \"diagnostics\"]\ncolumns = {SHOWN_COLUMNS:?}\n\
             functions = {FUNCTIONS:?}\n",
            path.display(),
            keyhole_log::hash::sha256(&std::fs::read(&path).unwrap())
        );
        path
    }

    /// Writes it, and returns its path.
    pub(super) fn write(&self) -> String {
        let path = self.place.path("keyhole.toml");
        std::fs::write(&path, &self.text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// Gives an order that is carried out.
pub(super) fn order(server: &Server, order: &Value) -> Value {
    let reply = server.order(order);
    assert_eq!(reply.status, 200, "{order}: {reply:?}");
    reply.json()
}

/// Waits until the strategy that is on its way under this name is as far as that.
pub(super) fn until_staged(server: &Server, name: &str, stages: &[&str]) -> Value {
    let never = || format!("{name} was never {stages:?}: {}", server.state());
    eventually(never, || {
        let state = server.state();
        let staged = state["staged"].as_array().unwrap().iter().find(|staged| staged["name"] == name);
        staged.filter(|staged| stages.iter().any(|stage| staged["stage"] == *stage)).cloned()
    })
}

/// The whole way: staged, proven, in shadow of ordinary requests, active.
pub(super) fn bring_in(server: &Server, path: &std::path::Path, name: &str) {
    order(server, &json!({"verb": "stage", "strategy": path, "name": name}));
    let proven = until_staged(server, name, &["proven", "failed"]);
    assert_eq!(proven["stage"], "proven", "{proven}");
    order(server, &json!({"verb": "shadow", "name": name, "share": 1.0, "requests": 20}));
    let ready = (1..10_000).find_map(|page| {
        assert_eq!(server.page(&format!("/v1/events?page_size=10&page={}", page % 7 + 1), "").status, 200);
        let staged = until_staged(server, name, &["shadow", "ready", "failed"]);
        (staged["stage"] != "shadow").then_some(staged)
    });
    let ready = ready.expect("its shadow ends");
    assert_eq!(ready["stage"], "ready", "{ready}");
    order(server, &json!({"verb": "promote", "name": name}));
}

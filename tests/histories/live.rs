//! The live system: a process that changes a log, and another one that looks at its folder.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::change::Kind;

/// A process of `history_writer.py`.
pub(super) struct Live {
    child: Child,
    orders: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Live {
    pub(super) fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/history_writer.py");
        let mut child = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need python3 with its sqlite3 module: it plays the live system");
        let (orders, replies) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, orders, replies }
    }

    /// Carries out an order. An error is what an ordinary writer would have failed with.
    pub(super) fn order(&mut self, order: &Value) -> Result<Value, String> {
        writeln!(self.orders, "{order}").unwrap();
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        let reply: Value = serde_json::from_str(&line).expect("the live system ended");
        assert!(reply["odd"].is_null(), "{order}: {reply}");
        reply["failed"].as_str().map_or(Ok(reply.clone()), |words| Err(words.to_owned()))
    }

    /// The kinds of changes that it knows.
    pub(super) fn kinds(&mut self) -> Vec<Kind> {
        let reply = self.order(&json!({"do": "kinds"})).unwrap();
        let kinds = reply["kinds"].as_array().unwrap().iter();
        kinds
            .map(|kind| Kind { name: kind[0].as_str().unwrap().to_owned(), in_commit: kind[1] == true })
            .collect()
    }

    /// What lies in a folder: each file's owner, mode, links, inode, size, digest and time of change.
    pub(super) fn list(&mut self, folder: &Path) -> Listing {
        let reply = self.order(&json!({"do": "list", "folder": folder})).unwrap();
        let files = reply["files"].as_object().unwrap().iter();
        Listing(files.map(|(name, about)| (name.clone(), about.as_str().unwrap().to_owned())).collect())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder and its files, each with all that can be seen of it from outside.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listing(BTreeMap<String, String>);

impl Listing {
    /// What is not as it was.
    pub(super) fn differences(&self, before: &Self) -> Vec<String> {
        let names = self.0.keys().chain(before.0.keys().filter(|name| !self.0.contains_key(*name)));
        let absent = || "not there".to_owned();
        let of = |listing: &Self, name: &String| listing.0.get(name).cloned().unwrap_or_else(absent);
        names
            .filter(|name| self.0.get(*name) != before.0.get(*name))
            .map(|name| format!("{name}: {} before, now {}", of(before, name), of(self, name)))
            .collect()
    }

    /// The file that is the database.
    pub(super) fn database(&self) -> Option<&str> {
        let words = self.0.get("audit.db")?.split("inode ").nth(1)?;
        words.split(' ').next()
    }
}

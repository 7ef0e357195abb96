//! The live system's writer as another process, and conversations with `keyhole page` beside it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::Place;

/// One committed event, in the order of a page: by time, then by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    pub(crate) created_at: i64,
    pub(crate) id: i64,
    pub(crate) actor_id: i64,
    pub(crate) action: String,
}

/// One commit: what it added, and how long the writer waited for it.
pub(crate) struct Commit {
    pub(crate) events: Vec<Event>,
    pub(crate) wait_ms: f64,
}

/// CPython's `sqlite3`, appending to a log whenever it is told to.
pub(crate) struct Writer {
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
}

impl Writer {
    /// Starts one on the log in a folder.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_by(Command::new("python3"), folder)
    }

    /// The same, by a command that runs Python in another way.
    pub(crate) fn start_by(mut python: Command, folder: &Path) -> Self {
        let script = include_str!("live_writer.py");
        let mut child = python
            .args(["-c", script])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need python3 with its sqlite3 module: it plays the live system's writer");
        let (orders, reports) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut writer = Self { child, orders, reports: BufReader::new(reports) };
        assert_eq!(writer.report()["ready"], true);
        writer
    }

    /// Gives an order without waiting for what comes of it.
    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    /// The next line that it reports. Panics if it failed: "database is locked" ends a test here.
    pub(crate) fn report(&mut self) -> Value {
        let mut line = String::new();
        self.reports.read_line(&mut line).unwrap();
        let report: Value = serde_json::from_str(&line).expect("the writer ended");
        assert!(report["error"].is_null(), "the writer failed: {report}");
        report
    }

    /// The next commit of the running order; None once the order is done.
    pub(crate) fn commit(&mut self) -> Option<Commit> {
        let report = self.report();
        let event = |event: &Value| Event {
            created_at: event[0].as_i64().unwrap(),
            id: event[1].as_i64().unwrap(),
            actor_id: event[2].as_i64().unwrap(),
            action: event[3].as_str().unwrap().to_owned(),
        };
        let events = report["events"].as_array()?.iter().map(event).collect();
        Some(Commit { events, wait_ms: report["wait_ms"].as_f64().unwrap() })
    }

    /// Carries out an order to its end: what was committed.
    pub(crate) fn carry_out(&mut self, order: &str) -> Vec<Commit> {
        self.order(order);
        std::iter::from_fn(|| self.commit()).collect()
    }

    /// Carries out an order that commits nothing.
    pub(crate) fn tell(&mut self, order: &str) {
        self.order(order);
        while self.report()["done"] != true {}
    }

    /// Appends so many events, eight to a commit.
    pub(crate) fn append(&mut self, events: u32) -> Vec<Event> {
        self.carry_out(&format!("append {events} 8 0")).into_iter().flat_map(|commit| commit.events).collect()
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running `keyhole page STRATEGY --queries -`.
pub(crate) struct Conversation {
    strategy: String,
    child: Child,
    requests: Option<ChildStdin>,
    pages: BufReader<ChildStdout>,
}

impl Conversation {
    /// Starts one.
    pub(crate) fn start(place: &Place, data: &Path, strategy: &str) -> Self {
        Self::by(place.keyhole(), data, strategy)
    }

    /// Starts one under a policy.
    pub(crate) fn under(place: &Place, data: &Path, strategy: &str, policy: &Path) -> Self {
        let mut keyhole = place.keyhole();
        keyhole.env("KEYHOLE_POLICY", policy);
        Self::by(keyhole, data, strategy)
    }

    /// Starts one by a command that runs the binary in another way.
    pub(crate) fn by(mut keyhole: Command, data: &Path, strategy: &str) -> Self {
        let mut child = keyhole
            .args(["--json", "page", strategy, "--queries", "-", "--data"])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (requests, pages) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { strategy: strategy.to_owned(), child, requests, pages }
    }

    /// Asks for a page. Panics if there is no answer.
    pub(crate) fn ask(&mut self, query: &Value) -> Value {
        match self.try_ask(query) {
            Ok(page) => page,
            Err((code, error)) => panic!("exit {code} instead of a page: {error}"),
        }
    }

    /// Asks for these pages of fifty of the whole log: each is the model's.
    pub(crate) fn assert_pages(&mut self, model: &Model, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            let query = whole_log(number, 50);
            let page = ids(&self.ask(&query));
            assert_eq!(page, model.ids(&query, i64::MAX), "{}, page {number}", self.strategy);
        }
    }

    /// Asks for a page: the page, or the exit code and the error that ended the conversation.
    pub(crate) fn try_ask(&mut self, query: &Value) -> Result<Value, (i32, Value)> {
        if let Some(requests) = &mut self.requests {
            // Where the other side has ended, the error is what is wanted.
            let _ = writeln!(requests, "{query}");
        }
        let mut line = String::new();
        self.pages.read_line(&mut line).unwrap();
        if !line.is_empty() {
            return Ok(serde_json::from_str(&line).unwrap());
        }
        let code = self.child.wait().unwrap().code().expect("a signal ended the conversation");
        let mut error = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut error).unwrap();
        let error = error.lines().find_map(|line| serde_json::from_str(line).ok());
        Err((code, error.unwrap_or_default()))
    }

    /// Ends it, as a client does that has seen enough.
    pub(crate) fn end(mut self) {
        drop(self.requests.take());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request for page `page` of `size` of the whole log.
pub(crate) fn whole_log(page: u64, size: u32) -> Value {
    json!({"from_ts": i64::MIN, "to_ts": i64::MAX, "actor_id": null, "action": null, "page": page, "page_size": size})
}

/// The log's events as a test knows them, and the pages that follow from them.
pub(crate) struct Model {
    /// In the order of a page, newest first.
    pub(crate) events: Vec<Event>,
}

impl Model {
    /// Reads a log that nobody has open.
    pub(crate) fn of(folder: &Path) -> Self {
        let path = folder.join("audit.db");
        let log =
            rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut events = log.prepare("SELECT created_at, id, actor_id, action FROM audit_events").unwrap();
        let events = events.query_map([], |row| {
            Ok(Event { created_at: row.get(0)?, id: row.get(1)?, actor_id: row.get(2)?, action: row.get(3)? })
        });
        let mut model = Self { events: events.unwrap().collect::<Result<_, _>>().unwrap() };
        model.events.sort_unstable_by(|a, b| b.cmp(a));
        model
    }

    /// Takes in events that were committed since.
    pub(crate) fn add(&mut self, events: &[Event]) {
        self.events.extend_from_slice(events);
        self.events.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// All ids, in the order of a page.
    pub(crate) fn newest_first(&self) -> Vec<i64> {
        self.events.iter().map(|event| event.id).collect()
    }

    /// The largest id.
    pub(crate) fn high_water(&self) -> i64 {
        self.events.iter().map(|event| event.id).max().unwrap_or(0)
    }

    /// The ids of the page that answers a query over the events up to `up_to`.
    pub(crate) fn ids(&self, query: &Value, up_to: i64) -> Vec<i64> {
        let bound = |name: &str| query[name].as_i64().unwrap();
        let size = usize::try_from(bound("page_size")).unwrap();
        let skipped = size * usize::try_from(bound("page") - 1).unwrap();
        let window = bound("from_ts")..=bound("to_ts");
        self.events
            .iter()
            .filter(|event| event.id <= up_to && window.contains(&event.created_at))
            .filter(|event| query["actor_id"].as_i64().is_none_or(|actor| actor == event.actor_id))
            .filter(|event| query["action"].as_str().is_none_or(|action| action == event.action))
            .skip(skipped)
            .take(size)
            .map(|event| event.id)
            .collect()
    }
}

/// The ids of an answered page, in its order.
pub(crate) fn ids(page: &Value) -> Vec<i64> {
    page["events"].as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect()
}
